"""What retiring decides: which submissions go and what is counted; no I/O."""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum, auto

from broker_setup.ledger.answers import Standing
from broker_setup.operator.backlog import Backlog


@dataclass(frozen=True)
class Plan:
    """What `by` retires: submissions of `queue` from before `before`; `message` is for the student, None is silence."""

    queue: str
    before: datetime
    reason: str
    by: str
    message: str | None


class Choice(Enum):
    """What becomes of a submission that was met."""

    RETIRE = auto()
    NEWER = auto()  # stays
    LEASED = auto()  # stays: somebody is grading it
    UNREADABLE = auto()  # stays: no submission; a gateway parks it
    SUPERSEDED = auto()  # goes: a newer one took its place
    CLOSED = auto()  # goes: it was settled or retired already


STAYS = frozenset({Choice.NEWER, Choice.LEASED, Choice.UNREADABLE})


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

    def note(self, choice: Choice, at: datetime | None) -> None:
        """Count one that was submitted at `at`."""
        match choice:
            case Choice.RETIRE if at:
                self.met += 1
                self.oldest = min(self.oldest or at, at)
                self.newest = max(self.newest or at, at)
            case Choice.NEWER:
                self.newer += 1
            case Choice.LEASED:
                self.leased += 1
            case Choice.UNREADABLE:
                self.unreadable += 1
            case _:
                self.cleared += 1


def choose(submitted_at: datetime, standing: Standing, before: datetime) -> Choice:
    """Say what becomes of a submission."""
    match standing:
        case Standing.CLOSED:
            return Choice.CLOSED
        case Standing.SUPERSEDED:
            return Choice.SUPERSEDED
        case Standing.LEASED:
            return Choice.LEASED
        case Standing.FREE:
            return Choice.RETIRE if submitted_at < before else Choice.NEWER


@dataclass(frozen=True)
class Expectation:
    """What retiring would meet, as the ledger has it, where the broker counts `ready` messages in the queue.

    What is older than the ledger, or was never noted there, is in `ready` alone; what an AMQP grader has in hand is in
    the tally alone, for it stands in no ledger before its reply.
    """

    tally: Tally
    ready: int
    ledger_since: float | None  # when its first event was written (seconds since the epoch); None: there is none

    @property
    def unaccounted(self) -> int:
        """How many more are ready than the ledger tells of; less than 0 if fewer."""
        return self.ready - (self.tally.met + self.tally.newer + self.tally.cleared)


def expect(backlog: Backlog, plan: Plan, ready: int, now: float) -> Expectation:
    """Say what carrying out `plan` at `now` would come to, and touch nothing."""
    tally = Tally()
    for at, standing in backlog.standings(plan.queue, now):
        submitted_at = datetime.fromtimestamp(int(at), UTC)  # whole seconds, as in a message
        tally.note(choose(submitted_at, standing, plan.before), submitted_at)
    return Expectation(tally, ready, backlog.since)
