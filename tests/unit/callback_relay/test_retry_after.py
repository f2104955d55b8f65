"""Retry-After comes from a stranger: seconds, a date, or nonsense."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callback_relay.retry_after import seconds_until

NOW = 784_111_777.0  # Sun, 06 Nov 1994 08:49:37 GMT


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 7 ", 7),
        ("9999999999", 9999999999),
        ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
        ("Sunday, 06-Nov-94 08:50:37 GMT", 60),
        ("Sun Nov  6 08:50:37 1994", 60),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
        ("Sun, 06 Nov 1983 08:49:37 GMT", 0),
    ],
)
def test_seconds_and_dates_are_read(text: str, seconds: float) -> None:
    assert seconds_until(text, NOW) == seconds


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "-1",
        "1.5",
        "1e3",
        "soon",
        "12345678901",
        "9" * 5000,
        "\u0661\u0662",
        "inf",
        "nan",
        "Sun, 99 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 +99999999",
        "Sun, 06 Nov 1994 08:49:37 GMT" + " " * 10 + "x" * 60,
    ],
)
def test_nonsense_says_nothing(text: str | None) -> None:
    assert seconds_until(text, NOW) is None


@given(text=st.text() | st.from_regex(r"[A-Z][a-z]{2}, \d+ [A-Z][a-z]{2} \d+ \d+:\d+:\d+ [A-Z+-]+\d*"))
def test_no_text_at_all_is_an_error_or_a_time_before_now(text: str) -> None:
    seconds = seconds_until(text, NOW)
    assert seconds is None or seconds >= 0
