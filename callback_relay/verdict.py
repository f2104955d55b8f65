"""Decides what becomes of a result after each try: values in, a verdict out, no I/O.

docs/reference/relay.md is the same table for people.
"""

from dataclasses import dataclass, replace
from enum import Enum, auto
from http import HTTPStatus

from broker_setup.wire.results import Tries
from callback_relay.evidence import Blame
from callback_relay.ladder import Ladder
from callback_relay.outcome import (
    Answered,
    Kind,
    NotAllowed,
    NotMade,
    NotWanted,
    Outcome,
    asked_for,
    kind_of,
    reason_of,
)
from callback_relay.reason import Reason, Slug

# A count comes back from the broker in a header that an AMQP grader may have written: never count beyond this.
MAX_COUNT = 1_000_000


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
class HandOver:
    """Done: it is of a copy, no LMS waits for it, and the regrade of this name has it."""

    run: str


@dataclass(frozen=True)
class GiveBack:
    """Go back to the results queue: the broker took neither a retry nor a parked copy."""

    reason: str


Verdict = Delivered | Repeat | Retry | Park | Outdated | HandOver | GiveBack


@dataclass(frozen=True)
class Patience:
    """When a result is given up: after so many refusals, or failing for so many seconds."""

    refusals: int
    seconds: float

    def is_over(self, tries: Tries, now: float) -> bool:
        """Whether it has waited for too long at `now`, since it failed or was put off for the first time."""
        return tries.since > 0 and now - tries.since > self.seconds


@dataclass(frozen=True)
class Ruling:
    """What is known of a failure beside its outcome: see evidence.py.

    `delay` is the rung on which results wait for their LMS; `is_outdated` says that a newer submission's has come,
    `is_too_large` that it was refused for the size of its form (size.py), `may_be_there` that an upstream may have
    taken it by a try that had no answer (put_results.py).
    """

    blame: Blame
    delay: float
    is_outdated: bool = False
    is_too_large: bool = False
    may_be_there: bool = False


NO_FAILURE = Ruling(Blame.OPEN, 0.0)


def judge(
    outcome: Outcome, ruling: Ruling, tries: Tries, ladder: Ladder, patience: Patience, *, now: float, chance: float
) -> Verdict:
    """Return what follows from `outcome` at `now` (seconds since the epoch), where `tries` went before it.

    `chance` is a random number below 1, for the rung.
    """
    match outcome:
        case Answered(status) if status == HTTPStatus.OK or _is_there(status, ruling):
            return Delivered()
        case NotAllowed(reason) | NotWanted(reason):
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


def _is_there(status: int, ruling: Ruling) -> bool:
    """Whether an upstream has taken the result before: so it answers that, while it takes others.

    Should it have none, it hands the work out again, and that is graded once more.
    """
    return status == HTTPStatus.INTERNAL_SERVER_ERROR and ruling.may_be_there and ruling.blame is Blame.URL


def _given_up(reason: Reason, ruling: Ruling, tried: Tries, patience: Patience, now: float) -> Park | Outdated | None:
    if ruling.is_too_large and ruling.blame is not Blame.ORIGIN:
        # The same form will fail again, and a notice in its place will not.
        return Park(reason, tried, tell=Tell.NOW)
    if ruling.blame is Blame.URL and ruling.is_outdated and tried.made > 1:
        return Outdated(Reason(Slug.OUTDATED, f"{reason}; a newer submission's result has come for this URL"))
    if ruling.blame is Blame.URL and tried.refused >= patience.refusals:
        return Park(reason, tried)
    return too_late(reason, tried, now) if patience.is_over(tried, now) else None


def wait_untried(reason: Reason, tries: Tries, delay: float, patience: Patience, *, now: float) -> Retry | Park:
    """Let a result wait for its LMS, which is sick, for `delay` seconds without being tried, unless it has for long."""
    waits = replace(tries, since=tries.since or int(now))
    return too_late(reason, waits, now) if patience.is_over(waits, now) else Retry(delay, waits, reason)


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
