"""What operators type to pick some of many is taken as they know it, or refused with what to type."""

import pytest

from broker_setup.errors import ArgumentError
from broker_setup.operator.filters import alike, origin_meant, uuid_meant, warn_of_unknown_queue
from broker_setup.settings import Settings


@pytest.mark.parametrize(
    "typed",
    [
        "https://lms.example",
        "https://lms.example:443",
        "HTTPS://LMS.example/",
        "https://lms.example/courses/c/xqueue/1/x/score_update",
    ],
)
def test_an_lms_is_meant_however_its_address_is_written(typed: str) -> None:
    assert origin_meant(typed) == "https://lms.example"


@pytest.mark.parametrize("typed", ["lms.example", "lms.example:443", "", "ftp://lms.example"])
def test_what_is_no_address_of_an_lms_is_refused(typed: str) -> None:
    with pytest.raises(ArgumentError, match="is no LMS: give"):
        origin_meant(typed)


def test_a_pattern_of_an_lms_stays_as_it_is() -> None:
    assert origin_meant("*.example*") == "*.example*"
    assert alike("https://lms.example:8000", "*.example*")
    assert alike("http://[::1]:8000", "HTTP://[::1]*")
    assert not alike("http://other", "*.example*")


def test_a_uuid_is_taken_as_it_is_copied_from_a_log() -> None:
    assert uuid_meant("5F0C2D1E-9A7B-4C3D-8E2F-1A0B9C8D7E6F:") == "5f0c2d1e9a7b4c3d8e2f1a0b9c8d7e6f"
    with pytest.raises(ArgumentError, match="is no uuid"):
        uuid_meant("12")


def test_a_queue_that_is_none_of_xqueues_is_worth_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(xqueues={"openedx": None})
    warn_of_unknown_queue("openedx", settings)
    warn_of_unknown_queue(None, settings)
    assert capsys.readouterr().err == ""
    warn_of_unknown_queue("opendx", settings)
    assert "XQUEUES has no queue 'opendx' (there are: openedx)" in capsys.readouterr().err
