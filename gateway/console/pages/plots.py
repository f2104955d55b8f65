"""Small plots as SVG paths, made here: no script draws them, and no style stands in them; no I/O."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 160, 32


@dataclass(frozen=True)
class Plot:
    """The path of a line, of an area below it, and the words for who does not see it."""

    line: str
    area: str
    most: int
    words: str


def plot(values: Sequence[int], what: str) -> Plot:
    """Draw numbers from left to right, the largest at the top."""
    most = max([1, *values])
    step = WIDTH / max(1, len(values) - 1)
    points = [f"{index * step:.1f},{HEIGHT - value * (HEIGHT - 2) / most:.1f}" for index, value in enumerate(values)]
    line = "M" + " L".join(points)
    return Plot(
        line, f"{line} L{WIDTH},{HEIGHT} L0,{HEIGHT} Z", max(values, default=0), f"{what}: {sum(values)} in all"
    )
