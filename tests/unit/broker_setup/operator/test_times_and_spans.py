"""How operators type times, and how times and lengths of time are shown to them."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.errors import ArgumentError
from broker_setup.operator.console import iso, moment, shown, span

NOW = datetime(2025, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("30s", NOW - timedelta(seconds=30)),
        ("5m", NOW - timedelta(minutes=5)),
        ("2h", NOW - timedelta(hours=2)),
        ("1.5h", NOW - timedelta(minutes=90)),
        ("3d", NOW - timedelta(days=3)),
        ("0s", NOW),
        ("2025-01-30", datetime(2025, 1, 30, tzinfo=UTC)),
        ("2025-01-30 08:15", datetime(2025, 1, 30, 8, 15, tzinfo=UTC)),
        ("2025-01-30T08:15:00Z", datetime(2025, 1, 30, 8, 15, tzinfo=UTC)),
        ("2025-01-30T08:15:00+02:00", datetime(2025, 1, 30, 6, 15, tzinfo=UTC)),
    ],
)
def test_a_time_is_an_age_or_iso_8601_in_utc(typed: str, meant: datetime) -> None:
    assert moment(typed, NOW) == meant


@given(st.text(max_size=20))
def test_anything_else_is_no_time_or_one_with_its_zone(typed: str) -> None:
    with contextlib.suppress(ArgumentError):
        assert moment(typed, NOW).tzinfo is not None


@pytest.mark.parametrize("typed", ["", "2", "h", "2w", "-2h", "2h ago", "999999999d", "2025-13-01", "noon"])
def test_what_is_no_time_is_said(typed: str) -> None:
    with pytest.raises(ArgumentError, match="is no time"):
        moment(typed, NOW)


def test_times_are_shown_in_utc_to_the_millisecond() -> None:
    assert shown(NOW.timestamp() + 0.25) == "2025-01-31 12:00:00.250Z"
    assert iso(NOW.timestamp() + 0.25) == "2025-01-31T12:00:00.250+00:00"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 ms"),
        (0.34, "340 ms"),
        (4.25, "4.2 s"),
        (60, "1 min 0 s"),
        (200, "3 min 20 s"),
        (3600, "1 h 0 min"),
        (18_600, "5 h 10 min"),
        (86_400, "1 d 0 h"),
        (183_600, "2 d 3 h"),
        (8_640_000, "100 d 0 h"),
    ],
)
def test_a_length_of_time_is_said_to_two_places(seconds: float, said: str) -> None:
    assert span(seconds) == said
