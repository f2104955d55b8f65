"""Where a redirect leads is named, with nothing in it that a log must not have."""

import pytest
from yarl import URL

from broker_setup.outbound.redirects import LONGEST_PATH, NO_PLACE, safe_location

ASKED = URL("http://user:password@lms.example/courses/x/xqueue/7/score_update?token=secret")
TOKEN = "/token-of-a-grader"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        (None, None),
        ("", None),
        ("https://lms.example/courses/x/xqueue/7/score_update?token=secret", "https://lms.example/..."),
        ("https://other.example:8443/courses/x/xqueue/7/score_update/#part", "https://other.example:8443/.../"),
        ("/en/courses/x/xqueue/7/score_update", "http://lms.example/en/..."),
        ("/login?next=/courses/x/xqueue/7/score_update", "http://lms.example/login"),
        ("//sso.example/in", "http://sso.example/in"),
        ("https://own:secret@sso.example/in", "https://sso.example/in"),
        ("elsewhere", "http://lms.example/courses/x/xqueue/7/elsewhere"),
        ("ftp://lms.example/", NO_PLACE),
        ("javascript:alert(1)", NO_PLACE),
        ("https://[broken/", NO_PLACE),
        ("http://][@", NO_PLACE),
        ("//[x]@/", NO_PLACE),
        ("https://lms.example:port/", NO_PLACE),
        ("https://lms\x1b[31m.example/", NO_PLACE),
        ("https://\udcff.example/", NO_PLACE),
        ("https://lms.example/\x1b[31m\r\nX: y", "https://lms.example/%1B%5B31mX:%20y"),
    ],
)
def test_a_location_is_named_without_its_secrets(given: str | None, shown: str | None) -> None:
    assert safe_location(ASKED, given) == shown


def test_a_path_that_was_asked_for_is_not_repeated_whatever_slash_is_behind_it() -> None:
    assert safe_location(URL(f"http://grader.example{TOKEN}/"), f"https://grader.example{TOKEN}") == (
        "https://grader.example/..."
    )
    assert safe_location(URL("http://grader.example/"), "https://grader.example/") == "https://grader.example/"


def test_a_long_path_is_cut() -> None:
    shown = safe_location(ASKED, "/" + "x" * 10_000)
    assert shown == f"http://lms.example/{'x' * (LONGEST_PATH - 1)}..."
