"""Decides what becomes of a result after each try: values in, a verdict out, no I/O.

docs/reference/relay.md is the same table for people.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto
from http import HTTPStatus

from broker_setup.wire.results import Tries
from callback_relay.evidence import Blame
from callback_relay.ladder import Ladder
from callback_relay.reason import Reason, Slug, status_slug

# A count comes back from the broker in a header that an AMQP grader may have written: never count beyond this.
MAX_COUNT = 1_000_000

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
class NotMade:
    """The callback could not be made, for want of something here, such as open files: that is not the LMS's fault."""

    reason: Reason


Outcome = Answered | NoAnswer | NotAllowed | NotMade


def not_made(lacks: str) -> NotMade:
    """Say what was lacking here when a callback should have been made."""
    return NotMade(Reason(Slug.OURS, f"no callback could be made here: {lacks}"))


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
class Outdated:
    """Done: it failed again, and a newer submission's result has come since: the LMS would ignore this one."""

    reason: Reason


@dataclass(frozen=True)
class GiveBack:
    """Go back to the results queue: the broker took neither a retry nor a parked copy."""

    reason: str


Verdict = Delivered | Repeat | Retry | Park | Outdated | GiveBack


class Kind(Enum):
    """What an outcome says of the LMS."""

    DELIVERED = auto()
    REFUSED = auto()  # it is well, and does not want this result
    FAILED = auto()  # it is not well, or not reached: any result might fare so
    UNASKED = auto()  # it was not asked


@dataclass(frozen=True)
class Patience:
    """When a result is given up: after so many refusals, or failing for so many seconds."""

    refusals: int
    seconds: float

    def is_over(self, tries: Tries, now: float) -> bool:
        """Whether it has waited for too long at `now`, since it failed or was held back for the first time."""
        return tries.since > 0 and now - tries.since > self.seconds


@dataclass(frozen=True)
class Ruling:
    """What is known of a failure beside its outcome: see evidence.py.

    `delay` is the rung on which results wait for their LMS; `is_outdated` says that a newer submission's has come,
    `is_too_large` that it was refused for the size of its form (size.py).
    """

    blame: Blame
    delay: float
    is_outdated: bool = False
    is_too_large: bool = False


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
        case NotAllowed() | NotMade():
            return Kind.UNASKED


def is_unreachable(outcome: Outcome) -> bool:
    """Whether nothing was reached that could have looked at the URL: its path can't be the cause."""
    return isinstance(outcome, NoAnswer) and outcome.reason.slug in _UNREACHABLE


def asked_for(outcome: Outcome) -> float:
    """Return how many seconds the LMS asks to wait."""
    return outcome.retry_after or 0.0 if isinstance(outcome, Answered) else 0.0


def judge(
    outcome: Outcome, ruling: Ruling, tries: Tries, ladder: Ladder, patience: Patience, *, now: float, chance: float
) -> Verdict:
    """Return what follows from `outcome` at `now` (seconds since the epoch), where `tries` went before it.

    `chance` is a random number below 1, for the rung.
    """
    match outcome:
        case Answered(HTTPStatus.OK):
            return Delivered()
        case NotAllowed(reason):
            return Park(reason, tell=Tell.NEVER)
        case NotMade(reason):
            return Retry(ladder.shortest, tries, reason)
    tried = replace(tries, made=min(tries.made + 1, MAX_COUNT), since=tries.since or int(now))
    if ruling.blame is not Blame.ORIGIN:
        is_refused = kind_of(outcome) is Kind.REFUSED
        tried = replace(tried, refused=min(tries.refused + 1, MAX_COUNT) if is_refused else 0)
    if given_up := _given_up(reason_of(outcome), ruling, tried, patience, now):
        return given_up
    if ruling.blame is Blame.ORIGIN:
        # No step up the ladder: it is tried again when its LMS is well.
        return Retry(ruling.delay, tried, reason_of(outcome))
    waited = replace(tried, waits=min(tries.waits + 1, MAX_COUNT))
    return Retry(ladder.after(tries.waits, chance, at_least=asked_for(outcome)), waited, reason_of(outcome))


def _given_up(reason: Reason, ruling: Ruling, tried: Tries, patience: Patience, now: float) -> Park | Outdated | None:
    if ruling.is_too_large and ruling.blame is not Blame.ORIGIN:
        # The same form will fail again, and a notice in its place will not.
        return Park(reason, tried, tell=Tell.NOW)
    if ruling.blame is Blame.URL and ruling.is_outdated and tried.made > 1:
        return Outdated(Reason(Slug.OUTDATED, f"{reason}; a newer submission's result has come for this URL"))
    if ruling.blame is Blame.URL and tried.refused >= patience.refusals:
        return Park(reason, tried)
    return too_late(reason, tried, now) if patience.is_over(tried, now) else None


def hold(reason: Reason, tries: Tries, delay: float, patience: Patience, *, now: float) -> Retry | Park:
    """Let a result wait for its LMS, which is sick, for `delay` seconds without being tried, unless it has for long."""
    held = replace(tries, since=tries.since or int(now))
    return too_late(reason, held, now) if patience.is_over(held, now) else Retry(delay, held, reason)


def too_late(reason: Reason, tries: Tries, now: float) -> Park:
    """Give up what has waited for too long; its student is told."""
    failing = f"{reason}; failing for {(now - tries.since) / 3600:.1f} h"
    return Park(Reason(reason.slug, failing), tries)


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
            where = f" to {outcome.location}" if outcome.location else ""
            return Reason(status_slug(status), f"answered {status}{where}, and redirects are not followed")
        case Answered(status):
            return Reason(status_slug(status), f"answered {status}")
        case NoAnswer(reason) | NotAllowed(reason) | NotMade(reason):
            return reason
