"""What came of a schedule's runs, as the promises have it: a line for people, the same for a program."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Column, Table

from bench.chaos.journal import Journal

HEADS = (
    "runs", "answered 0", "lost", "stuck", "doubly leased", "doubly graded", "graded again, AMQP", "callbacks again",
    "slowest answer, s", "after standstill, s", "s with refusals", "recovered after, s",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What came of one run; of several, the sums, and of seconds the most. What was not to be played is no run."""

    schedule: str
    runs: int
    answered_0: int  # submits
    lost: int  # of these: no callback, and in no queue either
    stuck: int  # no callback, and still in some queue when the time was up
    doubly_leased: int
    doubly_graded: int  # two results answered 0
    graded_again: int  # by the AMQP grader: it may see one twice, its result goes out once
    repeated_callbacks: int
    slowest_answer: float  # seconds that a call waited at a gateway that ran, whatever it was told
    after_standstill: float  # seconds from when a stopped gateway went on to its answers to what it was asked before
    refused_seconds: int  # in so many, some gateway refused something, from the fault's beginning on
    recovered_after: float  # seconds from the fault's end to the last refusal

    @property
    def is_good(self) -> bool:
        """Whether what is promised was kept."""
        return not (self.lost or self.stuck or self.doubly_leased or self.doubly_graded)

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program."""
        return asdict(self) | {"good": self.is_good}


def outcome(
    schedule: str, journal: Journal, *, lease_seconds: float, left: int, again: int, fault: tuple[float, float]
) -> Outcome:
    """Judge one run by what clients saw; `left` messages were in queues at its end, `fault` is from when to when."""
    since, until = fault
    stuck = min(len(journal.missing), left)
    return Outcome(
        schedule,
        1,
        len(journal.accepted),
        len(journal.missing) - stuck,
        stuck,
        len(journal.doubly_leased(lease_seconds)),
        len(journal.doubly_graded),
        again,
        journal.repeats,
        round(journal.slowest_answer, 2),
        round(journal.slowest_after_standstill, 2),
        journal.refused_seconds(since),
        round(journal.recovered(until), 1),
    )


def together(outcomes: Sequence[Outcome]) -> Sequence[Outcome]:
    """Put the runs of each schedule together."""
    by_name: dict[str, list[Outcome]] = {}
    for each in outcomes:
        by_name.setdefault(each.schedule, []).append(each)
    return [_one_of(runs) for runs in by_name.values()]


def _one_of(runs: Sequence[Outcome]) -> Outcome:
    return Outcome(
        runs[0].schedule,
        sum(each.runs for each in runs),
        sum(each.answered_0 for each in runs),
        sum(each.lost for each in runs),
        sum(each.stuck for each in runs),
        sum(each.doubly_leased for each in runs),
        sum(each.doubly_graded for each in runs),
        sum(each.graded_again for each in runs),
        sum(each.repeated_callbacks for each in runs),
        max(each.slowest_answer for each in runs),
        max(each.after_standstill for each in runs),
        max(each.refused_seconds for each in runs),
        max(each.recovered_after for each in runs),
    )


def as_table(outcomes: Sequence[Outcome], title: str) -> Table:
    """Show them for people."""
    table = Table(Column("schedule", no_wrap=True), *HEADS, title=title)
    for each in together(outcomes):
        table.add_row(*(f"{value:g}" if isinstance(value, float) else str(value) for value in asdict(each).values()))
    return table
