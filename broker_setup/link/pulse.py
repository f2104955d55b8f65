"""Finds whether a connection on which a confirm is overdue is alive, by a question that involves no queue."""

import asyncio
import contextlib
from time import monotonic

from ..errors import BrokerUnavailableError
from .broker_calls import close_channel
from .connection import Link

# A broker that is well needs milliseconds, one under load some hundred of them.
ANSWER_SECONDS = 1.5
# Missed heartbeats end a dead connection within 30 s; this ends one that sends heartbeats and answers nothing.
STUCK_SECONDS = 30.0


class Pulse:
    """Asks the broker on a link when somebody doubts it, and drops a connection that stays silent."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._looking: asyncio.Task[None] | None = None
        self.answered_at = float("-inf")  # monotonic
        self.problem = ""  # why nothing can be published on the link; empty as far as we know

    def look(self) -> None:
        """Begin to look, unless that is under way: `problem` tells in 1.5 s whether the connection is silent."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look())
            self._looking.add_done_callback(self._looked)

    async def _look(self) -> None:
        began, opened = monotonic(), self._link.opened
        asking = asyncio.create_task(self._ask())
        try:
            while True:
                await asyncio.wait({asking}, timeout=ANSWER_SECONDS)
                if not self._link.is_up or self._link.opened != opened:
                    return  # there is another connection by now, or none
                if asking.done():
                    if asking.result():
                        return
                    await asyncio.sleep(ANSWER_SECONDS)
                    asking = asyncio.create_task(self._ask())
                if self._link.is_blocked:
                    # It has told us, so it lives, and a fresh connection would be blocked too.
                    self.problem = "the broker takes nothing: it is out of memory or disk"
                    continue
                self.problem = "the broker does not answer on the connection on which we publish"
                if monotonic() - began > STUCK_SECONDS:
                    self._link.drop(f"no answer for {STUCK_SECONDS:.0f} s")
                    return
        finally:
            self.problem = ""
            asking.cancel()

    async def _ask(self) -> bool:
        # Opening a channel: answered by the broker's connection alone, whatever its queues and their leaders are at.
        with contextlib.suppress(BrokerUnavailableError):
            channel = await self._link.channel()
            self.answered_at = monotonic()
            await close_channel(channel)
            return True
        return False

    def _looked(self, looking: asyncio.Task[None]) -> None:
        self._looking = None
        if not looking.cancelled():
            looking.result()
