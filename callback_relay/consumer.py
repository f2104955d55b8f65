"""Keeps a consumer on the results queue, whatever becomes of the broker, its channels and the queue.

One relay consumes at a time, the one that has the lock: an exclusive queue, which goes with the connection that the
deliveries come on. (RabbitMQ's single active consumer would do the same, but then nobody can look into the queue, and
quorum queues know no exclusive consumers.)
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from enum import Enum

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aio_pika.exceptions import ChannelNotFoundEntity
from aiormq.exceptions import ChannelLockedResource

from broker_setup.connection import CONNECTION_ERRORS, Link
from broker_setup.errors import BrokerUnavailableError, XQueueError
from broker_setup.topology import RELAY_LOCK, RESULTS_QUEUE

log = logging.getLogger(__name__)

# Between two tries to consume, or to take over.
PAUSE_SECONDS = 1.0
LAST_CALL_SECONDS = 2.0


class ConsumerState(Enum):
    """What a relay is at."""

    WORKING = "working"  # results come to it
    STANDING_BY = "standing_by"  # another one works, and it takes over when that ends
    TRYING = "trying"  # no connection, or no queues: it tries again every second


class Consumer:
    """Hands over deliveries, up to `prefetch` unsettled at a time; says when those at hand have become void."""

    def __init__(
        self,
        link: Link,
        *,
        prefetch: int,
        others: Sequence[str],
        received: Callable[[AbstractIncomingMessage], None],
        lost: Callable[[], None],
    ) -> None:
        """Consume once the queues `others` are there, too, to which results go from here."""
        self._link = link
        self._prefetch = prefetch
        self._others = others
        self._received = received
        self._lost = lost
        self.state = ConsumerState.TRYING

    async def run(self) -> None:
        """Consume until cancelled; deliveries at hand can still be settled after that."""
        while True:
            if not self._link.is_up:
                self.state = ConsumerState.TRYING
            await self._link.wait_up()
            try:
                await self._consume()
            except ChannelLockedResource:
                self._stand_by()
            except (XQueueError, *CONNECTION_ERRORS) as error:
                self.state = ConsumerState.TRYING
                log.error("can't consume %s: %s", RESULTS_QUEUE, error)  # noqa: TRY400 - the text says it all
            except asyncio.CancelledError:
                # aiormq cancels what waits on a connection that goes away; only a real cancel is counted.
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
            self._lost()
            await asyncio.sleep(PAUSE_SECONDS)

    async def _consume(self) -> None:
        """Consume on a channel of its own until that is over; what was delivered on it is then void."""
        channel = await self._link.channel(prefetch=self._prefetch)
        over = asyncio.Event()
        channel.close_callbacks.add(lambda *_: over.set())
        await self._check_queues(channel)
        # Classic, whatever the virtual host's default: no other type can be exclusive.
        await channel.declare_queue(RELAY_LOCK, exclusive=True, arguments={"x-queue-type": "classic"})
        # RabbitMQ cancels a consumer whose queue is deleted, and says no more.
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda _: over.set())
        queue = await channel.get_queue(RESULTS_QUEUE, ensure=False)
        tag = await queue.consume(self._on_message)
        log.info("consuming %s", RESULTS_QUEUE)
        self.state = ConsumerState.WORKING
        try:
            await over.wait()
        except asyncio.CancelledError:
            # Stopping: nothing new, while what is under way can still be acked on this channel.
            await _quietly(queue.cancel(tag))
            raise
        finally:
            self.state = ConsumerState.TRYING
        await _quietly(channel.close())

    def _stand_by(self) -> None:
        if self.state is not ConsumerState.STANDING_BY:
            log.info("standing by: another relay consumes %s", RESULTS_QUEUE)
        self.state = ConsumerState.STANDING_BY

    async def _on_message(self, message: AbstractIncomingMessage) -> None:
        self._received(message)

    async def _check_queues(self, channel: AbstractChannel) -> None:
        for name in (RESULTS_QUEUE, *self._others):
            try:
                await channel.declare_queue(name, passive=True)
            except ChannelNotFoundEntity as error:
                raise BrokerUnavailableError(f"queue {name!r} is missing: run `xqueue-broker declare`") from error


async def _quietly(call: Awaitable[object]) -> None:
    """Make a last call on a channel that may be gone already."""
    with suppress(*CONNECTION_ERRORS):
        async with asyncio.timeout(LAST_CALL_SECONDS):
            await call
