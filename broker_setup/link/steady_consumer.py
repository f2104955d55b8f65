"""Keeps a consumer on one queue, whatever becomes of the broker, its channels and the queue, unless that is paused."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from typing import Any

from ..amqp.channel import Channel
from ..amqp.messages import Arrival
from ..errors import BrokerUnavailableError, XQueueError
from .broker_calls import CONNECTION_ERRORS, close_channel
from .connection import Link
from .pauses import LOOK_SECONDS
from .refusals import in_words, refusal_in
from .settling import PAUSE_SECONDS

log = logging.getLogger(__name__)

LAST_CALL_SECONDS = 2.0
# A broker that is well needs milliseconds. A queue without a leader may not answer at all, while the heartbeats go on.
START_SECONDS = 10.0

IsPaused = Callable[[], Awaitable[bool]]


async def _never() -> bool:
    return False


class Steady(ABC):
    """Consumes one queue, up to `prefetch` unsettled deliveries at a time; calls `lost` when those at hand are void.

    While it `is_paused` nothing is consumed, and what is at hand can be settled: `stopped` is called when that begins.
    """

    def __init__(
        self,
        link: Link,
        queue: str,
        *,
        prefetch: int,
        lost: Callable[[], None] = lambda: None,
        is_paused: IsPaused = _never,
        stopped: Callable[[], None] = lambda: None,
    ) -> None:
        self._link = link
        self._queue = queue
        self._prefetch = prefetch
        self._lost = lost
        self._look = is_paused
        self._stopped = stopped
        self._failure = ""
        self.is_consuming = False
        self.is_paused = False

    async def run(self) -> None:
        """Consume until cancelled; deliveries at hand can still be settled after that."""
        while True:
            await self._link.wait_up()
            try:
                await self._consume()
            except (XQueueError, *CONNECTION_ERRORS) as error:
                self.failed(error)
            self._lost()
            await asyncio.sleep(self.pause)

    @property
    def pause(self) -> float:
        """Seconds until the next try to consume."""
        return PAUSE_SECONDS

    @abstractmethod
    async def begin(self, channel: Channel) -> Iterable[str]:
        """Consume the queue on a fresh channel; return the tags of its consumers."""

    def failed(self, error: Exception) -> None:
        """Log that it can't consume, once for each reason: an error if the broker refuses it, else a warning."""
        why = in_words(error)
        if why != self._failure:
            if refusal_in(why):
                log.error("can't consume %s: %s", self._queue, why)
            else:
                log.warning("not consuming %s at the moment, trying again: %s", self._queue, why)
        self._failure = why

    async def _consume(self) -> None:
        """Consume on a channel of its own until that is over; what was delivered on it is then void."""
        channel = await self._link.channel(prefetch=self._prefetch)
        over = asyncio.Event()
        channel.on_closed.add(lambda *_: over.set())
        # When a queue is deleted RabbitMQ cancels its consumers, and leaves the channel open.
        channel.on_cancelled.add(lambda _: over.set())
        try:
            while not over.is_set():
                self._note_paused(await self._look())
                if self.is_paused:
                    await _waited(over)
                else:
                    await self._consume_unless_paused(channel, over)
        except BrokerUnavailableError:
            await close_channel(channel)
            raise
        await close_channel(channel)

    async def _consume_unless_paused(self, channel: Channel, over: asyncio.Event) -> None:
        try:
            async with asyncio.timeout(START_SECONDS):
                tags = await self.begin(channel)
        except TimeoutError:
            raise BrokerUnavailableError("the broker does not answer in time") from None
        log.info("consuming %s", self._queue)
        self._failure = ""
        self.is_consuming = True
        try:
            while not (self.is_paused or await _waited(over)):
                with suppress(BrokerUnavailableError):  # as it was, until the broker says otherwise
                    self._note_paused(await self._look())
        finally:
            self.is_consuming = False
            if not over.is_set():
                # Nothing new, while what is under way can still be settled on this channel.
                await asyncio.gather(*(_quietly(channel.cancel(tag)) for tag in tags))
        if self.is_paused:
            self._stopped()

    def _note_paused(self, paused: bool) -> None:  # noqa: FBT001
        if paused != self.is_paused:
            log.info("%s %s", self._queue, "is paused: nothing is taken from it" if paused else "is paused no more")
        self.is_paused = paused


class SteadyConsumer(Steady):
    """Hands each delivery over at once; `lost` deals with those at hand when their channel is gone."""

    def __init__(
        self,
        link: Link,
        queue: str,
        *,
        prefetch: int,
        received: Callable[[Arrival], None],
        lost: Callable[[], None] = lambda: None,
        is_paused: IsPaused = _never,
    ) -> None:
        super().__init__(link, queue, prefetch=prefetch, lost=lost, is_paused=is_paused)
        self._received = received

    async def prepare(self, channel: Channel) -> None:
        """Do on a fresh channel what has to be done before it consumes; for whoever derives from this."""

    async def begin(self, channel: Channel) -> list[str]:
        """Prepare, and consume."""
        await self.prepare(channel)
        return [await channel.consume(self._queue, self._received)]


class SteadyTasks(Steady):
    """Serves each delivery in a task of its own, which is cancelled when its channel is gone."""

    def __init__(
        self,
        link: Link,
        queue: str,
        *,
        prefetch: int,
        serve: Callable[[Arrival], Coroutine[Any, Any, None]],
        is_paused: IsPaused = _never,
        stopped: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(link, queue, prefetch=prefetch, is_paused=is_paused, stopped=stopped)
        self._serve = serve

    async def begin(self, channel: Channel) -> list[str]:
        """Consume; the tasks are the channel's."""
        tasks: set[asyncio.Task[None]] = set()

        def received(message: Arrival) -> None:
            task = asyncio.create_task(self._serve(message))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        def cancel(*_: object) -> None:
            for task in tasks:
                task.cancel()

        channel.on_closed.add(cancel)
        return [await channel.consume(self._queue, received)]


async def _waited(over: asyncio.Event) -> bool:
    """Say whether it is over, after LOOK_SECONDS at the latest."""
    with suppress(TimeoutError):
        async with asyncio.timeout(LOOK_SECONDS):
            await over.wait()
    return over.is_set()


async def _quietly(call: Awaitable[object]) -> None:
    """Make a last call on a channel that may be gone already."""
    with suppress(*CONNECTION_ERRORS):
        async with asyncio.timeout(LAST_CALL_SECONDS):
            await call
