"""The figures: what was measured, what the design asks for, and how both are shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from bench.pace import Pace


@dataclass(frozen=True)
class Comparison:
    """One pair that is measured; `goal` is the least ratio that the design asks for."""

    name: str
    bare_name: str
    goal: float
    at_once: int


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
            "p50_ms": round(self.ours.p50, 2),
            "p99_ms": round(self.ours.p99, 2),
        }


def figure(comparison: Comparison, ours: Sequence[Pace], bare: Sequence[Pace]) -> Figure:
    """Make a figure of all rounds: the best of each side, since whatever else runs on a machine only ever slows."""
    return Figure(comparison, max(ours, key=_rate), max(bare, key=_rate))


def _rate(pace: Pace) -> float:
    return pace.rate


def as_table(figures: Sequence[Figure], about: Mapping[str, str]) -> Table:
    """Lay the figures out for people, within 80 columns."""
    caption = ", ".join(f"{name}: {value}" for name, value in about.items())
    table = Table(box=SIMPLE, caption=caption, caption_justify="left")
    table.add_column("figure", no_wrap=True)
    for heading in ("p50 ms", "p99 ms", "per s", "ratio", "goal"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in figures:
        compared, timed = one.comparison, bool(one.ours.p50)
        table.add_row(
            f"{compared.name}, {compared.at_once} at once\n  bare: {compared.bare_name}",
            f"{one.ours.p50:.1f}\n" if timed else "-\n",
            f"{one.ours.p99:.1f}\n" if timed else "-\n",
            f"{one.ours.rate:,.0f}\n{one.bare.rate:,.0f}",
            f"[{'green' if one.ratio >= compared.goal else 'red'}]{one.ratio:.2f}",
            f"{compared.goal:.2f}",
        )
    return table
