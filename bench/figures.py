"""The figures: what was measured, what the design asks for, and how both are shown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from bench.pace import Pace


@dataclass(frozen=True)
class Comparison:
    """One pair that is measured: the least ratio, and the most microseconds of CPU for each, that are asked for."""

    key: str  # as the command line names it
    name: str
    bare_name: str
    goal: float
    at_once: int
    cpu_goal: float | None = None


@dataclass(frozen=True)
class Figure:
    """A comparison's outcome: the best round of each side."""

    comparison: Comparison
    ours: Pace
    bare: Pace

    @property
    def ratio(self) -> float:
        """Ours to bare."""
        return self.ours.rate / self.bare.rate

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program."""
        compared = self.comparison
        return {
            "figure": compared.name,
            "beside": compared.bare_name,
            "at_once": compared.at_once,
            "per_second": round(self.ours.rate, 1),
            "bare_per_second": round(self.bare.rate, 1),
            "ratio": round(self.ratio, 3),
            "goal": compared.goal,
            "cpu_us": round(self.ours.cpu, 1),
            "bare_cpu_us": round(self.bare.cpu, 1),
            "goal_cpu_us": compared.cpu_goal,
            "p50_ms": round(self.ours.p50, 2),
            "p99_ms": round(self.ours.p99, 2),
        }


def figure(comparison: Comparison, ours: Sequence[Pace], bare: Sequence[Pace]) -> Figure:
    """Make a figure of all rounds: the best of each side, since whatever else runs on a machine only ever slows."""
    return Figure(comparison, best(ours), best(bare))


def best(rounds: Sequence[Pace]) -> Pace:
    """Return the quickest round, and the least CPU time of any."""
    return replace(max(rounds, key=lambda pace: pace.rate), cpu=min(pace.cpu for pace in rounds))


def as_table(figures: Sequence[Figure]) -> Table:
    """Lay the figures out for people, within 80 columns."""
    table = Table(box=SIMPLE, padding=0)
    table.add_column("figure (so many at once)", no_wrap=True)
    for heading in ("p50 ms", "p99 ms", "per s", "ratio", "goal", "CPU us", "goal"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in figures:
        compared, timed = one.comparison, bool(one.ours.p50)
        most = compared.cpu_goal
        table.add_row(
            f"{compared.name} ({compared.at_once})\n  bare: {compared.bare_name}",
            f"{one.ours.p50:.1f}\n" if timed else "-\n",
            f"{one.ours.p99:.1f}\n" if timed else "-\n",
            f"{one.ours.rate:,.0f}\n{one.bare.rate:,.0f}",
            coloured(f"{one.ratio:.2f}", good=one.ratio >= compared.goal),
            f"{compared.goal:.2f}",
            coloured(f"{one.ours.cpu:.0f}", good=not most or one.ours.cpu <= most) + f"\n{one.bare.cpu:.0f}",
            f"{most:.0f}" if most else "-",
        )
    return table


def coloured(text: str, *, good: bool) -> str:
    """Mark a value that reaches its goal, or does not."""
    return f"[{'green' if good else 'red'}]{text}[/]"
