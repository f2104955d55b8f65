"""Why a result is not delivered, or not yet: words for the log and for operators, and a slug for the metrics."""

from dataclasses import dataclass
from enum import StrEnum

# What an operator tells apart. An LMS may answer anything, and each slug is a series of its own for each origin: the
# other statuses share one for each hundred.
NAMED_STATUSES = frozenset({400, 401, 403, 404, 408, 410, 413, 429, 500, 502, 503, 504})
_CLASSES = range(1, 6)


class Slug(StrEnum):
    """What can be wrong beside a status; docs/reference/metrics.md says what each means."""

    TIMEOUT = "timeout"
    NO_CONNECTION = "no_connection"
    UNKNOWN_HOST = "unknown_host"
    CERTIFICATE = "certificate"
    CUT_OFF = "cut_off"
    BAD_URL = "bad_url"
    PAGE = "page"
    LOGIN = "login"
    OTHER = "other"

    BEHIND = "behind"
    AWAY = "away"
    SLOW = "slow"
    STRANGERS = "strangers"
    OURS = "ours"
    OUTDATED = "outdated"

    NOT_ALLOWED = "not_allowed"
    UNREADABLE = "unreadable"
    RETURN_ADDRESS = "return_address"
    CALLBACK_URL = "callback_url"
    SENDER = "sender"
    REPLY = "reply"
    REPEAT = "repeat"
    MISTAKE = "mistake"


@dataclass(frozen=True, slots=True)
class Reason:
    """A slug of few and `text`, which may be anything but has nothing secret in it."""

    slug: str
    text: str

    def __str__(self) -> str:
        return self.text


def status_slug(status: int) -> str:
    """Return the slug of an HTTP status that the LMS answered."""
    if status in NAMED_STATUSES:
        return f"status_{status}"
    return f"status_{status // 100}xx" if status // 100 in _CLASSES else "status_other"


def status_slugs() -> list[str]:
    """Return every slug that a status can have."""
    classes = [f"status_{first}xx" for first in _CLASSES]
    return [*(f"status_{status}" for status in sorted(NAMED_STATUSES)), *classes, "status_other"]
