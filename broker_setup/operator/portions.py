"""How a walk over a queue is portioned: a first small turn, portions at a rate, each finished once it is begun."""

import asyncio
from collections.abc import Coroutine, Sequence
from time import monotonic
from typing import Any

from broker_setup.amqp.messages import Arrival

FIRST_TURN = 20
# A portion is published at once and acked together: this many may be there twice after a kill.
MAX_PORTION = 100
PORTIONS_A_SECOND = 10
# Bodies that are in memory at once: of messages of 15 MiB there are two or three.
MEMORY_BYTES = 32 * 1024 * 1024
MAX_TURN = 500


class TurnSize:
    """How many deliveries to take in at once, by how large those were that came."""

    def __init__(self) -> None:
        self.next = FIRST_TURN
        self._met = self._size = 0

    def took(self, batch: Sequence[Arrival]) -> None:
        """Learn from what was taken in."""
        self._met += len(batch)
        self._size += sum(len(message.body) for message in batch)
        self.next = max(1, min(MAX_TURN, MEMORY_BYTES * self._met // max(1, self._size)))


class RateLimit:
    """Spreads portions over time: no more than `rate` messages a second."""

    def __init__(self, rate: int) -> None:
        self._rate = rate
        self._next = monotonic()

    @property
    def portion(self) -> int:
        """How many messages go at once."""
        return max(1, min(MAX_PORTION, self._rate // PORTIONS_A_SECOND))

    async def wait(self, messages: int) -> None:
        """Return when that many may go."""
        await asyncio.sleep(max(0.0, self._next - monotonic()))
        self._next = max(self._next, monotonic()) + messages / self._rate


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Let a portion be finished also where the operator interrupts: then nothing is there twice."""
    task = asyncio.create_task(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        raise
