"""Keeps a consumer on one course queue, on a channel of its own, whatever becomes of the broker and of the queue."""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from aio_pika.abc import AbstractIncomingMessage

from broker_setup.connection import Link, broker_calls
from broker_setup.errors import BrokerUnavailableError

log = logging.getLogger(__name__)

# Between two tries to consume.
PAUSE_SECONDS = 1.0
LAST_CALL_SECONDS = 2.0


class Consumer:
    """Hands over deliveries, up to `prefetch` unsettled at a time; says when those at hand have become void."""

    def __init__(
        self,
        link: Link,
        queue: str,
        *,
        prefetch: int,
        received: Callable[[AbstractIncomingMessage], None],
        lost: Callable[[], None],
    ) -> None:
        self._link = link
        self._queue = queue
        self._prefetch = prefetch
        self._received = received
        self._lost = lost
        self._failure = ""

    async def run(self) -> None:
        """Consume until cancelled; deliveries at hand can still be settled after that."""
        while True:
            await self._link.wait_up()
            try:
                with broker_calls(f"can't consume {self._queue}"):
                    await self._consume()
            except BrokerUnavailableError as error:
                self._fail(str(error))
            self._lost()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _consume(self) -> None:
        """Consume until that is over; what was delivered is then void."""
        channel = await self._link.channel(prefetch=self._prefetch)
        over = asyncio.Event()
        channel.close_callbacks.add(lambda *_: over.set())
        # RabbitMQ cancels a consumer whose queue is deleted, and says no more.
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: over.set())
        queue = await channel.get_queue(self._queue, ensure=False)
        tag = await queue.consume(self._on_message)
        log.info("consuming %s", self._queue)
        self._failure = ""
        try:
            await over.wait()
        except asyncio.CancelledError:
            # Stopping: nothing new, while what is under way can still be acked on this channel.
            with contextlib.suppress(BrokerUnavailableError), broker_calls("cancelling"):
                async with asyncio.timeout(LAST_CALL_SECONDS):
                    await queue.cancel(tag)
            raise
        if not channel.is_closed:
            await channel.close()

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        self._received(message)

    def _fail(self, why: str) -> None:
        if why != self._failure:
            log.warning("%s", why)
        self._failure = why
