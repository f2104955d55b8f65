"""The ladder: on which rung a result waits, and for how long; no I/O, chance comes from outside."""

from collections.abc import Iterable

# One wait in three is on the rung below: results that failed in one moment don't come back in one moment.
LOWER_RUNG_CHANCE = 1 / 3


class Ladder:
    """The rungs of the settings, shortest first; each is the delay of a queue, in seconds."""

    def __init__(self, delays: Iterable[float]) -> None:
        """Take the delays in any order; there must be one or more."""
        self.delays = tuple(sorted(set(delays)))

    @property
    def shortest(self) -> float:
        """The first rung."""
        return self.delays[0]

    @property
    def third(self) -> float:
        """The third rung, or the last of fewer: what waits for a sick LMS waits there at the longest."""
        return self.delays[:3][-1]

    def after(self, waits: int, chance: float, *, at_least: float = 0) -> float:
        """Return the rung for a result that has waited `waits` times before; `chance` is a random number below 1.

        The last rung repeats. Where the LMS asks for `at_least` so many seconds it is a rung that long, if there is
        one, else the last.
        """
        step = min(waits, len(self.delays) - 1)
        if step and chance < LOWER_RUNG_CHANCE:
            step -= 1
        enough = (delay for delay in self.delays[step:] if delay >= at_least)
        return next(enough, self.delays[-1])

    def towards(self, seconds: float) -> float:
        """Return the longest rung that takes no more than `seconds`, so as to come back about then, in a few waits."""
        return max((delay for delay in self.delays if delay <= seconds), default=self.shortest)
