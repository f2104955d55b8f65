"""Takes what comes from the ledger in portions: a replay must not hold the event loop while others wait for a turn."""

import asyncio
from collections import deque
from collections.abc import Callable

from broker_setup.amqp.messages import Arrival
from broker_setup.process.beside import Portions

# In each round of the event loop so many bytes of frames are taken, or one frame: a full one takes some milliseconds.
# What comes while a process follows the ledger is nearly always less, and is taken at once.
PORTION_BYTES = 16 * 1024


class InTurn:
    """Hands messages to `take` in the order in which they came."""

    def __init__(self, take: Callable[[Arrival], None]) -> None:
        self._take = take
        self._waiting: deque[Arrival] = deque()
        self._portions = Portions(PORTION_BYTES)

    def came(self, message: Arrival) -> None:
        """Take a message, now or in a later round."""
        if not self._waiting and self._portions.turn_now(len(message.body)):
            self._take(message)
            return
        self._waiting.append(message)
        if len(self._waiting) == 1:
            self._go_on_later()

    def _go_on_later(self) -> None:
        asyncio.get_running_loop().call_soon(self._go_on)

    def _go_on(self) -> None:
        while self._waiting and self._portions.turn_now(len(self._waiting[0].body)):
            self._take(self._waiting.popleft())
        if self._waiting:
            self._go_on_later()
