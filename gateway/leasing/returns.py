"""Bounds how much is written for leases that are given back: a loop of leases and returns would fill the ledger."""

from collections.abc import Callable
from time import monotonic

from broker_setup.errors import XQueueError

# What a lease and its return take of the ledger, but for the sealed return address, which a student's LMS wrote.
EVENTS_BYTES = 1024
# For each queue, by one gateway: what fleets of graders give back when they are stopped, 2,500, then 10 a second.
BURST_BYTES = 4 * 1024 * 1024
BYTES_A_SECOND = 16 * 1024


class TooManyReturnsError(XQueueError):
    """Too many leases of a queue are given back; one may be again in `seconds`, or is left to run out."""

    def __init__(self, seconds: float) -> None:
        self.seconds = int(seconds) + 1
        super().__init__(f"Too many submissions are given back, try again in {self.seconds} seconds")


class Returns:
    """Counts what is given back, by queue."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._left: dict[str, tuple[float, float]] = {}  # bytes left, and when that was counted

    def take(self, queue: str, sealed: str) -> float:
        """Let a lease be given back whose return address is `sealed`; else say in how many seconds one may be."""
        now = self._clock()
        left, then = self._left.get(queue, (BURST_BYTES, now))
        left = min(BURST_BYTES, left + (now - then) * BYTES_A_SECOND)
        # The return that takes the balance to zero or below is the last for now.
        is_one_left = left > 0
        self._left[queue] = (left - EVENTS_BYTES - len(sealed) if is_one_left else left), now
        return 0.0 if is_one_left else (1 - left) / BYTES_A_SECOND
