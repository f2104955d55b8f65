"""Decides what becomes of a result after each try: values in, a verdict out, no I/O.

docs/reference/relay.md is the same table for people.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto
from http import HTTPStatus

from broker_setup.wire.messages import Tries
from callback_relay.ladder import Ladder
from callback_relay.reason import Reason, Slug, status_slug

# A count comes back from the broker in a header that an AMQP grader may have written: never count beyond this.
MAX_COUNT = 1_000_000

# The LMS is there and may change its mind: 408 and 425 ask to be tried again, 429 too.
_TEMPORARY = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


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


Outcome = Answered | NoAnswer | NotAllowed


@dataclass(frozen=True)
class Delivered:
    """Done: the LMS has it."""


@dataclass(frozen=True)
class Repeat:
    """Done: the LMS has it already, so it is not posted again."""


@dataclass(frozen=True)
class Retry:
    """Wait on the rung of `delay` seconds, then be tried again, with `tries` in the headers.

    One that was not `opened` is unread: nobody knows yet where it goes and whether its sender may answer.
    """

    delay: float
    tries: Tries
    reason: Reason
    opened: bool = True


class Tell(Enum):
    """When the student hears that there will be no result."""

    NEVER = auto()  # nobody knows whom to tell, or may
    AFTER_GRACE = auto()  # if no operator redrives it before
    NOW = auto()  # no redrive would help: it can't be delivered as it is


@dataclass(frozen=True)
class Park:
    """Wait for an operator, with `tries` in the headers if it was tried; `tell` the student not to expect a result."""

    reason: Reason
    tries: Tries | None = None
    tell: Tell = Tell.AFTER_GRACE


@dataclass(frozen=True)
class GiveBack:
    """Go back to the results queue: the broker took neither a retry nor a parked copy."""

    reason: str


Verdict = Delivered | Repeat | Retry | Park | GiveBack


class Kind(Enum):
    """What an outcome says of the LMS."""

    DELIVERED = auto()
    REFUSED = auto()  # it is well, and does not want this result
    FAILED = auto()  # it is not well, or not reached: any result might fare so
    HOPELESS = auto()  # it was not asked


@dataclass(frozen=True)
class Patience:
    """When a result is given up: after so many refusals, or failing for so many seconds."""

    refusals: int
    seconds: float


def kind_of(outcome: Outcome) -> Kind:
    """Sort an outcome."""
    match outcome:
        case Answered(HTTPStatus.OK):
            return Kind.DELIVERED
        case Answered(status) if status in _TEMPORARY or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Kind.FAILED
        case Answered():
            return Kind.REFUSED
        case NoAnswer():
            return Kind.FAILED
        case NotAllowed():
            return Kind.HOPELESS


def judge(outcome: Outcome, tries: Tries, ladder: Ladder, patience: Patience, *, now: float, chance: float) -> Verdict:
    """Return what follows from `outcome` at `now` (seconds since the epoch), where `tries` went before it.

    `chance` is a random number below 1, for the rung.
    """
    kind = kind_of(outcome)
    if kind is Kind.DELIVERED:
        return Delivered()
    reason = reason_of(outcome)
    if kind is Kind.HOPELESS:
        return Park(reason, tell=Tell.NEVER)
    tries = Tries(
        made=min(tries.made + 1, MAX_COUNT),
        refused=min(tries.refused + 1, MAX_COUNT) if kind is Kind.REFUSED else 0,
        waits=tries.waits,
        since=tries.since or int(now),
    )
    if tries.refused >= patience.refusals:
        return Park(reason, tries)
    if now - tries.since > patience.seconds:
        failing = f"{reason}; failing for {(now - tries.since) / 3600:.1f} h"
        return Park(Reason(reason.slug, failing), tries)
    asked = outcome.retry_after if isinstance(outcome, Answered) else None
    return untried(reason, tries, ladder, chance, at_least=asked or 0)


def untried(reason: Reason, tries: Tries, ladder: Ladder, chance: float, *, at_least: float = 0) -> Retry:
    """Send a result up the ladder; of itself that is no try."""
    waited = replace(tries, waits=min(tries.waits + 1, MAX_COUNT))
    return Retry(ladder.after(tries.waits, chance, at_least=at_least), waited, reason)


def judge_unopened(why: str, tries: Tries, ladder: Ladder, patience: Patience, *, now: float) -> Verdict:
    """Return what becomes of a result that was sealed under a secret that is not known here, at `now` (epoch seconds).

    It waits until a relay has that secret; for as long as a failing LMS is waited for, as it may also be a forgery.
    """
    reason = Reason(Slug.RETURN_ADDRESS, why)
    since = tries.since or int(now)
    if now - since > patience.seconds:
        return Park(reason, tell=Tell.NEVER)
    waits = min(tries.waits + 1, MAX_COUNT)
    return Retry(ladder.after(tries.waits, 1.0), replace(tries, waits=waits, since=since), reason, opened=False)


def reason_of(outcome: Outcome) -> Reason:
    """Say in a few words what happened."""
    match outcome:
        case Answered(status) if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return Reason(status_slug(status), f"answered {status}, and redirects are not followed")
        case Answered(status):
            return Reason(status_slug(status), f"answered {status}")
        case NoAnswer(reason) | NotAllowed(reason):
            return reason
