"""What a callback came to, and what that says of the LMS: values, no I/O."""

from dataclasses import dataclass
from enum import Enum, auto
from http import HTTPStatus

from callback_relay.reason import Reason, Slug, status_slug

# The LMS is there and may change its mind: 408 and 425 ask to be tried again, 429 too.
_TEMPORARY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})

# No HTTP server was spoken to.
_UNREACHABLE = frozenset({Slug.NO_CONNECTION, Slug.UNKNOWN_HOST, Slug.CERTIFICATE})


@dataclass(frozen=True)
class Answered:
    """The LMS answered the callback with this HTTP status, and asked to wait `retry_after` seconds if it did.

    `location` is where a redirect (3xx) leads, in words that are fit for a log; None if it doesn't say. `is_page` tells
    that a 200 brought a page for people, such as a login's or a maintenance's: an LMS answers an empty body.
    """

    status: int
    retry_after: float | None = None
    location: str | None = None
    is_page: bool = False


@dataclass(frozen=True)
class NoAnswer:
    """The callback got no HTTP status: connection refused, timeout, certificate not trusted."""

    reason: Reason


@dataclass(frozen=True)
class NotAllowed:
    """The callback goes where callbacks must not go."""

    reason: Reason


@dataclass(frozen=True)
class NotWanted:
    """An upstream has no use for this result, and never will; it is well."""

    reason: Reason


@dataclass(frozen=True)
class NotMade:
    """The callback could not be made, for want of something here, such as open files: that is not the LMS's fault."""

    reason: Reason


Outcome = Answered | NoAnswer | NotAllowed | NotWanted | NotMade


def not_made(lacks: str) -> NotMade:
    """Say what was lacking here when a callback should have been made."""
    return NotMade(Reason(Slug.OURS, f"no callback could be made here: {lacks}"))


class Kind(Enum):
    """What an outcome says of the LMS."""

    DELIVERED = auto()
    REFUSED = auto()  # it is well, and does not want this result
    FAILED = auto()  # it is not well, or not reached: any result might fare so
    UNASKED = auto()  # it was not asked, or has said nothing of itself


def kind_of(outcome: Outcome) -> Kind:
    """Sort an outcome."""
    # First and plainly, as it is asked of each callback a few times.
    if isinstance(outcome, Answered) and outcome.status == HTTPStatus.OK:
        return Kind.DELIVERED
    match outcome:
        case Answered(status) if status in _TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Kind.FAILED
        case Answered():
            return Kind.REFUSED
        case NoAnswer():
            return Kind.FAILED
        case NotAllowed() | NotWanted() | NotMade():
            return Kind.UNASKED


def is_unreachable(outcome: Outcome) -> bool:
    """Whether nothing was reached that could have looked at the URL: its path can't be the cause."""
    return isinstance(outcome, NoAnswer) and outcome.reason.slug in _UNREACHABLE


def asked_for(outcome: Outcome) -> float:
    """Return how many seconds the LMS asks to wait."""
    return outcome.retry_after or 0.0 if isinstance(outcome, Answered) else 0.0


def reason_of(outcome: Outcome) -> Reason:
    """Say in a few words what happened."""
    match outcome:
        case Answered(status) if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            where = f" to {outcome.location}" if outcome.location else ""
            return Reason(status_slug(status), f"answered {status}{where}, and redirects are not followed")
        case Answered(status):
            return Reason(status_slug(status), f"answered {status}")
        case NoAnswer(reason) | NotAllowed(reason) | NotWanted(reason) | NotMade(reason):
            return reason
