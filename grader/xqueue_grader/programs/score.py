"""What a student's program earned: each case's share of its weight, and the sum of them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """How one case went: `share` of its weight is earned, from 0 to 1; `message` is for the student, any text."""

    name: str
    weight: float
    share: float
    hidden: bool = False
    message: str = ""
    input: str = ""
    output: str = ""
    expected: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.weight) and self.weight > 0 and 0 <= self.share <= 1):
            raise ValueError(f"case {self.name!r} earned {self.share!r} of {self.weight!r}: no share of a weight")

    @property
    def passed(self) -> bool:
        """Tell whether all of it was earned."""
        return self.share == 1


@dataclass(frozen=True)
class Score:
    """All cases of one submission."""

    results: Sequence[Result]

    @property
    def earned(self) -> float:
        """The weights that were earned."""
        return math.fsum(result.weight * result.share for result in self.results)

    @property
    def possible(self) -> float:
        """The weights of all."""
        return math.fsum(result.weight for result in self.results)

    @property
    def correct(self) -> bool:
        """Whether every case passed."""
        return all(result.passed for result in self.results)

    @property
    def share(self) -> float:
        """What the LMS gets: from 0 to 1, and 1 only where every case passed."""
        return 1.0 if self.correct else min(self.earned / self.possible, math.nextafter(1, 0))
