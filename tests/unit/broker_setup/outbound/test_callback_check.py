"""Which callback URLs a submit may name; and what is remembered of their origins changes no answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.outbound.callback_check import MOST_ORIGINS, CallbackCheck
from broker_setup.outbound.callback_urls import LONGEST_URL, CallbackOrigins
from broker_setup.outbound.own_services import GATEWAY, OwnServices

OWN = OwnServices([("broker", 5672, "the broker")], "https://site.example/base")
RULES = (CallbackOrigins(None, OWN.behind), CallbackOrigins(["http://lms"], OWN.behind))
CHECKS = tuple(CallbackCheck(rules, OWN.shared_origin) for rules in RULES)

schemes = st.sampled_from(["http://", "https://", "HTTP://", "ftp://", "//", ""])
hosts = st.sampled_from(
    ["lms", "LMS.", "site.example", "broker", "127.1", "169.254.169.254", "[::1]", "a@lms", "lms\\", "l%6ds", "ümläut"]
)
ports = st.sampled_from(["", ":", ":80", ":5672", ":443", ":65536", ":00080", ":x"])
rests = st.lists(
    st.sampled_from(
        ["/", "?", "#", "@", "\\", "xqueue", "base", "..", "%2f", "[", "]", ":", " ", "\t", "\n", "é", "\ud800", "a"]
    ),
    max_size=6,
).map("".join)
urls = st.tuples(schemes, hosts, ports, rests).map("".join)


def test_without_a_list_a_submit_may_name_any_callback_url_that_can_be_posted_to() -> None:
    for url in ("http://lms/callback", "http://lms:80/", "https://lms", "http://127.0.0.1:1/x"):
        assert CallbackCheck(CallbackOrigins(None)).why_not(url) is None


@pytest.mark.parametrize(
    "url",
    ["/relative", "", "ftp://lms/", "http://a,b/", "file:///etc/passwd", "javascript:x", "http://", "lms/callback"],
)
def test_a_submit_may_name_no_callback_url_that_nothing_can_be_posted_to(url: str) -> None:
    why = CallbackCheck(CallbackOrigins(None)).why_not(url)
    assert why
    assert url not in why or not url


@pytest.mark.parametrize("url", ["http://169.254.169.254/", "http://[::ffff:a9fe:a9fe]/", "http://2852039166/"])
def test_without_a_list_a_submit_may_not_name_a_forbidden_address(url: str) -> None:
    assert CallbackCheck(CallbackOrigins(None)).why_not(url)


@pytest.mark.parametrize("url", ["http://evil/", "https://lms/", "/relative", "", "ftp://lms/", "http://a,b/"])
def test_with_a_list_a_submit_may_name_nothing_else(url: str) -> None:
    assert CallbackCheck(CallbackOrigins(["http://lms"])).why_not(url)
    assert CallbackCheck(CallbackOrigins(["http://lms"])).why_not("http://lms/path") is None


@given(st.lists(urls, max_size=5))
def test_whatever_was_asked_before_the_answer_is_the_same(asked: list[str]) -> None:
    for check, rules in zip(CHECKS, RULES, strict=True):
        for url in asked:
            fresh = CallbackCheck(rules, OWN.shared_origin).why_not(url)
            assert [check.why_not(url) for _ in range(2)] == [fresh] * 2, url


def test_at_the_gateways_own_origin_each_url_is_looked_at() -> None:
    check = CHECKS[0]
    for origin in ("https://site.example", "https://site.example:443", "https://SITE.example"):
        assert check.why_not(f"{origin}/base/callback") is None
        assert GATEWAY in (check.why_not(f"{origin}/base/xqueue/submit/") or "")


def test_a_known_origin_makes_no_url_short_enough() -> None:
    assert CHECKS[0].why_not("http://lms/") is None
    assert CHECKS[0].why_not("http://lms/" + "x" * LONGEST_URL)


def test_of_origins_without_end_the_latest_are_remembered() -> None:
    asked: list[str | None] = []
    check = CallbackCheck(CallbackOrigins(None, lambda url: asked.append(url.host)))
    names = [f"lms{number}" for number in range(MOST_ORIGINS + 1)]
    for name in [*names, *names[1:], names[0]]:
        assert check.why_not(f"http://{name}/") is None
    assert asked == [*names, names[0]]
