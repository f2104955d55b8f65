"""What is known of one course queue for its figures: who waits there since when, and what has happened."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

# Seconds. A grader that polls takes what comes within one; people wait for minutes, and notice an hour.
WAITING_BUCKETS = (0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1800, 3600, 10800, 43200, 86400)
# Seconds. Programs run for some; a lease may last 12 h.
GRADING_BUCKETS = (0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 10800, 43200)
SEEN_SECONDS = 300.0
# Accounts are an operator's to name, but whoever issues tokens names any number.
MAX_GRADERS = 1000


class Times:
    """How long something took, by upper bounds."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.bounds = tuple(bounds)
        self.buckets = [0] * (len(bounds) + 1)  # the last is for all that took longer
        self.seconds = 0.0

    def took(self, seconds: float) -> None:
        """Count one more; clocks may differ."""
        seconds = max(0.0, seconds)
        self.buckets[bisect_left(self.bounds, seconds)] += 1
        self.seconds += seconds


@dataclass(eq=False)
class QueueFigures:
    """One queue; times are seconds since the epoch, as its events have them."""

    # What has not ended, leased or not, in the ledger's order: since when it waits.
    waiting: dict[bytes, float] = field(default_factory=dict)
    parked: set[bytes] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    waited: Times = field(default_factory=lambda: Times(WAITING_BUCKETS))
    graded: Times = field(default_factory=lambda: Times(GRADING_BUCKETS))
    _seen: dict[str, float] = field(default_factory=dict)

    def saw(self, grader: str, at: float) -> None:
        """Note that a grader did something here; all who leave no name are one."""
        if at > self._seen.get(grader, 0.0):
            self._seen[grader] = at
            if len(self._seen) > MAX_GRADERS:
                del self._seen[min(self._seen, key=self._seen.__getitem__)]

    def graders(self, now: float) -> int:
        """Count those that did something lately, and forget the others."""
        self._seen = {grader: at for grader, at in self._seen.items() if now - at < SEEN_SECONDS}
        return len(self._seen)
