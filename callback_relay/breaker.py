"""The breaker of one LMS: opens after a run of failures, and then lets a probe through now and then; no I/O.

Nothing is discarded while it is open: results go to the ladder without being tried.
"""

from enum import Enum

from callback_relay.ladder import Ladder
from callback_relay.verdict import Kind

# In a row, whatever the results: a problem whose callbacks alone fail stands between others that don't.
FAILURES = 10
# Between probes the first rungs' delays pass, this many at most: 1 s, 5 s, 30 s. A probe costs the LMS nothing, and
# whatever comes off the ladder until the next one goes up a rung.
PROBE_RUNGS = 3


class BreakerState(Enum):
    """What a result of that LMS can expect."""

    CLOSED = "closed"  # is posted
    HALF_OPEN = "half-open"  # a probe is under way
    OPEN = "open"  # goes to the ladder


class Breaker:
    """Ask `admits` before a callback; tell `ended` how it went."""

    def __init__(self, ladder: Ladder) -> None:
        self._pauses = ladder.delays[:PROBE_RUNGS]
        self._failures = 0
        self._probes = 0
        self._next_probe = 0.0
        self.state = BreakerState.CLOSED

    @property
    def is_closed(self) -> bool:
        """Whether every result is posted."""
        return self.state is BreakerState.CLOSED

    def admits(self, now: float) -> bool:
        """Say whether a callback may be posted at `now` (any clock, seconds); if it was open, that is the probe."""
        if self.state is BreakerState.OPEN and now >= self._next_probe:
            self.state = BreakerState.HALF_OPEN
            return True
        return self.state is BreakerState.CLOSED

    def ended(self, kind: Kind, now: float) -> None:
        """Take in how a callback ended."""
        match kind:
            case Kind.FAILED:
                self._failures += 1
                # Those that were under way when it opened say nothing new, and end no pause.
                if self.state is BreakerState.HALF_OPEN or (
                    self.state is BreakerState.CLOSED and self._failures >= FAILURES
                ):
                    self.state = BreakerState.OPEN
                    self._next_probe = now + self._pauses[min(self._probes, len(self._pauses) - 1)]
                    self._probes += 1
            case Kind.DELIVERED | Kind.REFUSED:
                # Also one that was under way when it opened: the LMS is there.
                self._failures = self._probes = 0
                self.state = BreakerState.CLOSED
            case Kind.HOPELESS:
                # It was not asked after all: the next one is the probe.
                if self.state is BreakerState.HALF_OPEN:
                    self.state = BreakerState.OPEN
