"""How a gateway fares as its backlog grows: what a submit and a poll take, and its memory."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from bench import goals
from bench.figures import coloured
from bench.latencies import Latency
from bench.sections import Measured, Run
from bench.stack import Stack

BACKLOG = "growth"
SIZES, QUICK_SIZES = (1_000, 100_000, 1_000_000), (1_000, 10_000, 50_000)
COUNT, QUICK_COUNT = 500, 200
AT_ONCE = 4


@dataclass
class Stage:
    """A backlog of one size: milliseconds of the median submit and poll in each round, and MiB at the start."""

    waiting: int
    mebibytes: float
    submits: list[float] = field(default_factory=list)
    polls: list[float] = field(default_factory=list)

    def beside(self, least: "Stage") -> tuple[Latency, Latency]:
        """Compare it with the least backlog, in the best round of each."""
        burden = f"{self.waiting:,} waiting"
        return (
            Latency("submit p50", burden, min(least.submits), min(self.submits), goals.LARGE_BACKLOG),
            Latency("get_submission p50", burden, min(least.polls), min(self.polls), goals.LARGE_BACKLOG),
        )


def rows(stages: Sequence[Stage]) -> list[dict[str, Any]]:
    """Return the stages for a program, each beside the first."""
    return [
        {
            "waiting": stage.waiting,
            "submit_p50_ms": round(submit.burdened, 3),
            "submit_times": round(submit.times, 3),
            "poll_p50_ms": round(poll.burdened, 3),
            "poll_times": round(poll.times, 3),
            "at_most": goals.LARGE_BACKLOG,
            "mebibytes": round(stage.mebibytes, 1),
        }
        for stage in stages
        for submit, poll in [stage.beside(stages[0])]
    ]


def as_table(stages: Sequence[Stage]) -> Table:
    """Lay the stages out for people, within 80 columns."""
    table = Table(box=SIMPLE, padding=0)
    for heading in ("waiting", "submit p50 ms", "times", "poll p50 ms", "times", "goal", "MiB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for stage in stages:
        submit, poll = stage.beside(stages[0])
        table.add_row(
            f"{stage.waiting:,}",
            f"{submit.burdened:.2f}",
            coloured(f"{submit.times:.2f}", good=submit.times <= submit.at_most),
            f"{poll.burdened:.2f}",
            coloured(f"{poll.times:.2f}", good=poll.times <= poll.at_most),
            f"{submit.at_most:.1f}",
            f"{stage.mebibytes:.0f}",
        )
    return table


def steps(run: Run) -> int:
    """Say how often `measure` will call `done`: for each backlog that is made, and each time it is measured."""
    return len(_sizes(run)) * (1 + run.rounds)


def measure(run: Run) -> Measured:
    """Make the backlogs, start a gateway on each, and measure one after the other in each round.

    A round submits as much as it takes, so that the backlog stays as large as it was.
    """
    with ExitStack() as running:
        stacks = [running.enter_context(run.stack()) for _ in _sizes(run)]
        stages = []
        for stack, size in zip(stacks, _sizes(run), strict=True):
            stack.declare()
            stack.program("bench.backlog", str(size))
            running.enter_context(stack.running())
            stages.append(Stage(size, stack.mebibytes()))
            run.done()
        for _ in range(run.rounds):
            for stack, stage in zip(stacks, stages, strict=True):
                _measure_once(run, stack, stage)
                run.done()
    return Measured(as_table(stages), rows(stages))


def _measure_once(run: Run, stack: Stack, stage: Stage) -> None:
    count = QUICK_COUNT if run.quick else COUNT
    first = next(run.numbers) * count
    told = ("submit", stack.gateway_port, count, AT_ONCE, stack.callback_url, first)
    stage.submits.append(stack.measure("bench.load", *told).p50)
    stage.polls.append(stack.measure("bench.load", "poll", stack.gateway_port, count, AT_ONCE).p50)


def _sizes(run: Run) -> Sequence[int]:
    return QUICK_SIZES if run.quick else SIZES
