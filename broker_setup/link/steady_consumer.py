"""Keeps a consumer on one queue, whatever becomes of the broker, its channels and the queue."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from broker_setup.errors import BrokerUnavailableError, XQueueError
from broker_setup.link.connection import CONNECTION_ERRORS, Link

log = logging.getLogger(__name__)

# Between two tries to consume.
PAUSE_SECONDS = 1.0
LAST_CALL_SECONDS = 2.0
# A broker that is well needs milliseconds. A queue without a leader may not answer at all, while the heartbeats go on.
START_SECONDS = 10.0


class SteadyConsumer:
    """Hands over deliveries, up to `prefetch` unsettled at a time; says when those at hand have become void."""

    def __init__(
        self,
        link: Link,
        queue: str,
        *,
        prefetch: int,
        received: Callable[[AbstractIncomingMessage], None],
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        self._link = link
        self._queue = queue
        self._prefetch = prefetch
        self._received = received
        self._lost = lost
        self._failure = ""
        self.is_consuming = False

    async def run(self) -> None:
        """Consume until cancelled; deliveries at hand can still be settled after that."""
        while True:
            await self._link.wait_up()
            try:
                await self._consume()
            except (XQueueError, *CONNECTION_ERRORS) as error:
                self.failed(error)
            except asyncio.CancelledError:
                # aiormq cancels what waits on a connection that goes away; only a real cancel is counted.
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
            self._lost()
            await asyncio.sleep(PAUSE_SECONDS)

    async def prepare(self, channel: AbstractChannel) -> None:
        """Do on a fresh channel what has to be done before it consumes; for whoever derives from this."""

    def failed(self, error: Exception) -> None:
        """Say that it can't consume, once for each reason."""
        if str(error) != self._failure:
            log.error("can't consume %s: %s", self._queue, error)
        self._failure = str(error)

    async def _consume(self) -> None:
        """Consume on a channel of its own until that is over; what was delivered on it is then void."""
        channel = await self._link.channel(prefetch=self._prefetch)
        over = asyncio.Event()
        channel.close_callbacks.add(lambda *_: over.set())
        # RabbitMQ cancels a consumer whose queue is deleted, and says no more.
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: over.set())
        queue = await channel.get_queue(self._queue, ensure=False)
        try:
            async with asyncio.timeout(START_SECONDS):
                await self.prepare(channel)
                tag = await queue.consume(self._on_message)
        except TimeoutError:  # aiormq has closed the channel
            raise BrokerUnavailableError("the broker does not answer in time") from None
        log.info("consuming %s", self._queue)
        self._failure = ""
        self.is_consuming = True
        try:
            await over.wait()
        except asyncio.CancelledError:
            # Stopping: nothing new, while what is under way can still be acked on this channel.
            await _quietly(queue.cancel(tag))
            raise
        finally:
            self.is_consuming = False
        await _quietly(channel.close())

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        self._received(message)


async def _quietly(call: Awaitable[object]) -> None:
    """Make a last call on a channel that may be gone already."""
    with suppress(*CONNECTION_ERRORS):
        async with asyncio.timeout(LAST_CALL_SECONDS):
            await call
