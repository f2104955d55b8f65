"""Reads text and times out of headers that anybody may have written, whatever they are."""

from datetime import UTC, datetime


def text_of(value: object) -> str:
    """Return a header's text, "" where it is none."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return value if isinstance(value, str) else ""


def time_of(value: object) -> datetime | None:
    """Return a header's time, in UTC unless it says otherwise; None where it is none, or none that UTC has."""
    try:
        time = value if isinstance(value, datetime) else datetime.fromisoformat(text_of(value))
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        # Its zone, or rounding, may take the first and the last of times beyond the years that can be shown.
        datetime.fromtimestamp(time.timestamp(), UTC)
    except (ValueError, OverflowError):
        return None
    return time
