"""When an event was heard of, by a clock that cannot jump: what leases are measured by, and what is forgotten."""

from collections.abc import Callable
from math import inf
from time import monotonic, time

from msgspec import Struct

# How far two clocks may differ before that stops one of them: each may be MAX_SECONDS off (agreement.py).
DOUBT_SECONDS = 30.0


def made_steady(wall: Callable[[], float] = time, ticks: Callable[[], float] = monotonic) -> Callable[[], float]:
    """Make a clock that says seconds since the epoch and then only goes on: whatever is done to the machine's own."""
    began = wall() - ticks()
    return lambda: began + ticks()


# That of this process.
steady = made_steady()


class Heard(Struct, frozen=True, gc=False):
    """An event was read at `at`, and written later than `since`; both are seconds of the reader's steady clock.

    Times in an event are of its writer's clock, which may be wrong. What an event says is taken for as long as it says,
    from when it was heard of. Where that may be long ago, as in a replay, its own times are taken, within these bounds.
    """

    at: float
    since: float = -inf

    def time_of(self, at: float) -> float:
        """Say when it happened that an event dates `at`."""
        if self.since <= at <= self.at:
            return at  # nearly always, and quickly
        return self.at if at > self.at else self.since

    def end_of(self, at: float, until: float) -> float:
        """Say when that ends which an event of `at` says to last until `until`; not too early, if in doubt."""
        seconds = until - at
        # By comparisons, which take a tenth of what `min` and `max` do: a replay asks for each lease.
        in_doubt, latest, earliest = until + DOUBT_SECONDS, self.at + seconds, self.since + seconds
        end = min(latest, in_doubt)
        return max(end, earliest)
