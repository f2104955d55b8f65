"""What more processes are good for: two and four gateways, or workers behind one port, beside one."""

import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from bench.figures import best
from bench.pace import Pace
from bench.sections import Measured, Run
from bench.stack import Stack

GATEWAYS, WORKERS = "gateways", "workers"
NUMBERS = (2, 4)
COUNT, QUICK_COUNT = 5000, 1000
LMSS, GRADERS = 64, 16


@dataclass
class Fleet:
    """So many processes of one kind, and the paces of all rounds."""

    name: str
    gateways: int = 1
    workers: int = 1
    submits: list[Pace] = field(default_factory=list)
    cycles: list[Pace] = field(default_factory=list)

    def as_dict(self, one: "Fleet") -> dict[str, Any]:
        """Return it for a program, beside a gateway alone."""
        submits, cycles = best(self.submits).rate, best(self.cycles).rate
        return {
            "gateways": self.gateways,
            "workers": self.workers,
            "cores": os.cpu_count(),
            "submits_per_second": round(submits, 1),
            "submits_times": round(submits / best(one.submits).rate, 3),
            "cycles_per_second": round(cycles, 1),
            "cycles_times": round(cycles / best(one.cycles).rate, 3),
        }


def as_table(fleets: Sequence[Fleet]) -> Table:
    """Lay them out for people; the first is a gateway alone."""
    table = Table(box=SIMPLE, padding=0)
    table.add_column(f"processes, on {os.cpu_count()} cores", no_wrap=True)
    for heading in ("submits/s", "times", "cycles/s", "times"):
        table.add_column(heading, justify="right", no_wrap=True)
    for fleet in fleets:
        told = fleet.as_dict(fleets[0])
        table.add_row(
            fleet.name,
            f"{told['submits_per_second']:,.0f}",
            f"{told['submits_times']:.2f}",
            f"{told['cycles_per_second']:,.0f}",
            f"{told['cycles_times']:.2f}",
        )
    return table


def steps(run: Run) -> int:
    """Say how often `measure` will call `done`."""
    return 2 * run.rounds * len(_fleets(run))


def measure(run: Run) -> Measured:
    """Run all fleets, each with a ledger of its own, and have one after the other work in each round."""
    fleets = _fleets(run)
    with ExitStack() as running:
        stacks = []
        for fleet in fleets:
            stacks.append(running.enter_context(run.stack(gateways=fleet.gateways, workers=fleet.workers)))
            running.enter_context(stacks[-1].running())
        for _ in range(run.rounds):
            for stack, fleet in zip(stacks, fleets, strict=True):
                _work(run, stack, fleet)
    return Measured(as_table(fleets), [fleet.as_dict(fleets[0]) for fleet in fleets])


def _work(run: Run, stack: Stack, fleet: Fleet) -> None:
    count = QUICK_COUNT if run.quick else COUNT
    ports, first = ",".join(map(str, stack.gateway_ports)), next(run.numbers) * count
    fleet.submits.append(stack.measure("bench.load", "submit", ports, count, LMSS, stack.callback_url, first))
    run.done()
    fleet.cycles.append(stack.measure("bench.load", "pull", ports, count, GRADERS))
    run.done()


def _fleets(run: Run) -> list[Fleet]:
    fleets = [Fleet("one gateway")]
    if GATEWAYS in run.chosen:
        fleets += [Fleet(f"{number} gateways", gateways=number) for number in NUMBERS]
    if WORKERS in run.chosen:
        fleets += [Fleet(f"WORKERS={number}", workers=number) for number in NUMBERS]
    return fleets
