"""How a walk over a queue is portioned: a first small turn, portions at a rate, each finished once it is begun."""

import asyncio
from collections.abc import Coroutine
from time import monotonic
from typing import Any

FIRST_TURN = 20
# A portion is published at once and acked together: this many may be there twice after a kill.
MAX_PORTION = 100
PORTIONS_A_SECOND = 10


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
