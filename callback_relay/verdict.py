"""Decides what becomes of a result after each try: values in, a verdict out, no I/O.

docs/reference/relay.md is the same table for people.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus

# An attempt comes back from the broker in a header that an AMQP grader may have written: never count beyond this.
MAX_ATTEMPT = 1_000_000

_REFUSED = ", and redirects are not followed"


@dataclass(frozen=True)
class Answered:
    """The LMS answered the callback with this HTTP status, and maybe asked for so many seconds of rest."""

    status: int
    retry_after: float | None = None


@dataclass(frozen=True)
class NoAnswer:
    """The callback got no HTTP status: connection refused, timeout, certificate not trusted."""

    reason: str


@dataclass(frozen=True)
class NoCallback:
    """The message has no callback that could be tried, today or later."""

    reason: str


@dataclass(frozen=True)
class NotAllowed:
    """The callback goes to an origin or an address that callbacks may not go to."""

    reason: str


@dataclass(frozen=True)
class AlreadyDelivered:
    """A result of the same submission was delivered before."""


@dataclass(frozen=True)
class UnderWay:
    """A result of the same submission is being posted at this moment."""


Outcome = Answered | NoAnswer | NoCallback | NotAllowed | AlreadyDelivered | UnderWay


@dataclass(frozen=True)
class Delivered:
    """Done: the LMS has it."""


@dataclass(frozen=True)
class Repeat:
    """Done: the LMS has it already, so it is not posted again."""


@dataclass(frozen=True)
class Retry:
    """Wait on the rung of `delay` seconds, then be tried again as `attempt`."""

    delay: float
    attempt: int
    reason: str


@dataclass(frozen=True)
class Park:
    """Wait for an operator."""

    reason: str


@dataclass(frozen=True)
class GiveBack:
    """Go back to the results queue: the broker took neither a retry nor a parked copy."""

    reason: str


Verdict = Delivered | Repeat | Retry | Park | GiveBack


def judge(outcome: Outcome, attempt: int, ladder: Sequence[float]) -> Verdict:
    """Return what follows from `outcome`, where `attempt` tries failed before and `ladder` holds the rungs' seconds."""
    match outcome:
        case Answered(HTTPStatus.OK):
            return Delivered()
        case AlreadyDelivered():
            return Repeat()
        case NoCallback(reason) | NotAllowed(reason):
            return Park(reason)
        case UnderWay():
            # It was not tried, so no try is counted.
            return Retry(min(ladder), attempt, "another result of this submission is under way")
        case Answered(status):
            reason = f"answered {status}{_REFUSED if _is_redirect(status) else ''}"
        case NoAnswer(reason):
            pass
    # The last rung repeats for ever: nothing that failed is given up here.
    return Retry(ladder[min(attempt, len(ladder) - 1)], min(attempt + 1, MAX_ATTEMPT), reason)


def _is_redirect(status: int) -> bool:
    return HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
