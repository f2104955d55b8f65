"""Keeps a consumer on one course queue, whatever becomes of the broker, the channel and the queue."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress

from aiormq.abc import DeliveredMessage

from broker_setup.errors import XQueueError
from broker_setup.link.connection import CONNECTION_ERRORS, Link, close_channel
from broker_setup.topology import submissions_queue

log = logging.getLogger(__name__)

# Between two tries to consume.
PAUSE_SECONDS = 1.0
LAST_CALL_SECONDS = 2.0

Received = Callable[[DeliveredMessage, str], Awaitable[None]]


class QueueConsumer:
    """Hands over the deliveries of one course queue, up to `prefetch` unsettled at a time.

    Each is handed over in a task of its own, which is cancelled when its channel is gone: the broker then delivers the
    submission again, here or elsewhere.
    """

    def __init__(self, link: Link, queue: str, prefetch: int, received: Received) -> None:
        self._link = link
        self._queue = queue
        self._name = submissions_queue(queue)
        self._prefetch = prefetch
        self._received = received

    async def run(self) -> None:
        """Consume until cancelled; deliveries at hand can still be settled after that."""
        while True:
            await self._link.wait_up()
            try:
                await self._consume()
            except (XQueueError, *CONNECTION_ERRORS) as error:
                log.error("can't consume %s: %s", self._name, error)  # noqa: TRY400 - the text says it all
            except asyncio.CancelledError:
                # aiormq cancels what waits on a connection that goes away; only a real cancel is counted.
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
            await asyncio.sleep(PAUSE_SECONDS)

    async def _consume(self) -> None:
        """Consume on a channel of its own until that is over."""
        channel = await self._link.channel(prefetch=self._prefetch)
        over = asyncio.Event()
        channel.close_callbacks.add(lambda *_: over.set())
        # RabbitMQ cancels a consumer whose queue is deleted, and says no more.
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: over.set())
        # On the layer below aio-pika's, whose messages cost as much as all the rest of a cycle.
        tag = (await underlay.basic_consume(self._name, self._on_message)).consumer_tag
        log.info("consuming %s", self._name)
        try:
            await over.wait()
        except asyncio.CancelledError:
            # Stopping: nothing new, while what is under way can still be settled on this channel.
            await _quietly(underlay.basic_cancel(tag or ""))
            raise
        await close_channel(channel)

    async def _on_message(self, message: DeliveredMessage) -> None:
        await self._received(message, self._queue)


async def _quietly(call: Awaitable[object]) -> None:
    """Make a last call on a channel that may be gone already."""
    with suppress(*CONNECTION_ERRORS):
        async with asyncio.timeout(LAST_CALL_SECONDS):
            await call
