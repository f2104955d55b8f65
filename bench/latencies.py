"""How much longer a caller waits for its answer under a burden than without it, and how both are shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.box import SIMPLE
from rich.table import Table

from bench.figures import coloured


@dataclass(frozen=True)
class Latency:
    """Milliseconds that a call took in the best of the rounds, without a burden and with it; and what is asked for."""

    call: str  # such as "put_result p99"
    burden: str
    without: float
    burdened: float
    at_most: float

    @property
    def times(self) -> float:
        """How many times as long it took with the burden."""
        return self.burdened / self.without

    def as_dict(self) -> dict[str, Any]:
        """Return it for a program."""
        return {
            "call": self.call,
            "burden": self.burden,
            "without_ms": round(self.without, 3),
            "with_ms": round(self.burdened, 3),
            "times": round(self.times, 3),
            "at_most": self.at_most,
        }


def as_table(latencies: Sequence[Latency]) -> Table:
    """Lay them out for people, within 80 columns."""
    table = Table(box=SIMPLE, padding=0)
    for heading in ("a call, in ms", "with"):
        table.add_column(heading, no_wrap=True)
    for heading in ("without", "then", "times", "goal"):
        table.add_column(heading, justify="right", no_wrap=True)
    for one in latencies:
        times = coloured(f"{one.times:.2f}", good=one.times <= one.at_most)
        table.add_row(one.call, one.burden, f"{one.without:.2f}", f"{one.burdened:.2f}", times, f"{one.at_most:.1f}")
    return table
