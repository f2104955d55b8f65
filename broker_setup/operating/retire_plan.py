"""What retiring decides: which submissions go and what is counted; no I/O."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto

from broker_setup.ledger.answers import Standing
from broker_setup.wire.messages import Submission


@dataclass(frozen=True)
class Plan:
    """What to retire: submissions of `queue` from before `before`; `message` is for the student, None is silence."""

    queue: str
    before: datetime
    reason: str
    message: str | None


class Verdict(Enum):
    """What becomes of a submission that was met."""

    RETIRE = auto()
    NEWER = auto()  # stays
    LEASED = auto()  # stays: somebody is grading it
    UNREADABLE = auto()  # stays: no submission; a gateway parks it
    SUPERSEDED = auto()  # goes: a newer one took its place
    CLOSED = auto()  # goes: it was settled or retired already


STAYS = frozenset({Verdict.NEWER, Verdict.LEASED, Verdict.UNREADABLE})


@dataclass
class Tally:
    """What was met: `met` counts those to retire, of which `retired` are; the times are of their submits."""

    ready: int = 0  # what was in the queue when it was looked at
    met: int = 0
    retired: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None
    newer: int = 0
    leased: int = 0
    unreadable: int = 0
    cleared: int = 0  # superseded or closed ones that were still in the queue
    missed: int = 0  # were ready when the queue was looked at, and did not come

    @property
    def seen(self) -> int:
        """How many were looked at."""
        return self.met + self.newer + self.leased + self.unreadable + self.cleared

    def note(self, verdict: Verdict, submission: Submission | None) -> None:
        """Count one."""
        match verdict:
            case Verdict.RETIRE if submission:
                at = submission.submitted_at
                self.met += 1
                self.oldest = min(self.oldest or at, at)
                self.newest = max(self.newest or at, at)
            case Verdict.NEWER:
                self.newer += 1
            case Verdict.LEASED:
                self.leased += 1
            case Verdict.UNREADABLE:
                self.unreadable += 1
            case _:
                self.cleared += 1


def judge(submission: Submission, standing: Standing, before: datetime) -> Verdict:
    """Say what becomes of a submission."""
    match standing:
        case Standing.CLOSED:
            return Verdict.CLOSED
        case Standing.SUPERSEDED:
            return Verdict.SUPERSEDED
        case Standing.LEASED:
            return Verdict.LEASED
        case Standing.FREE:
            return Verdict.RETIRE if submission.submitted_at < before else Verdict.NEWER
