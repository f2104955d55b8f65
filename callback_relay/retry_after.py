"""Reads the Retry-After of an answer, which may say anything."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"[0-9]{1,10}")
# An HTTP date has 29 characters; the parser is not meant for much more.
_LONGEST_DATE = 64


def seconds_until(retry_after: str | None, now: float) -> float | None:
    """Return how many seconds after `now` (since 1970) to try again, 0 or more; None if it says nothing sensible."""
    if retry_after is None:
        return None
    given = retry_after.strip()
    if _SECONDS.fullmatch(given):
        return float(given)
    if len(given) > _LONGEST_DATE:
        return None
    try:
        date = parsedate_to_datetime(given)
        # Without a zone it is UTC, as all HTTP dates are.
        return max(0.0, (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp() - now)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
