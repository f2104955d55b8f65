"""Who goes round several queues with block=true: such a client may wait at none while another has work for it."""

from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

# How long a poll with block=true waits for a client that goes round. The original did not wait at all.
ROUND_SECONDS = 1.0
# Grading takes minutes: a queue that a client asked within this time is still part of its round.
MEMORY_SECONDS = 600.0
MAX_CALLERS = 4096


@dataclass
class _Asked:
    """How many polls of a queue are under way, and when the last was."""

    now: int
    last: float


class Rounds:
    """Which queues each caller asked lately. A client with a thread for each queue does not go round."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._callers: OrderedDict[str, dict[str, _Asked]] = OrderedDict()

    def patience(self, caller: str, queue: str, wait: float) -> float:
        """Say how many of `wait` seconds a poll may wait: few where another queue is asked in turn with this one."""
        horizon = self._clock() - MEMORY_SECONDS
        others = (asked for name, asked in self._callers.get(caller, {}).items() if name != queue)
        return min(wait, ROUND_SECONDS) if any(not each.now and each.last > horizon for each in others) else wait

    @contextmanager
    def asking(self, caller: str, queue: str) -> Iterator[None]:
        """Note that `caller` asks `queue` for as long as the block runs."""
        asked = self._callers.setdefault(caller, {}).setdefault(queue, _Asked(0, 0.0))
        self._callers.move_to_end(caller)
        if len(self._callers) > MAX_CALLERS:
            self._callers.popitem(last=False)
        asked.now += 1
        try:
            yield
        finally:
            asked.now -= 1
            asked.last = self._clock()
