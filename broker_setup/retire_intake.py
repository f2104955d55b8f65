"""Takes in the deliveries of one queue, holds them in order, and acks or puts them back."""

import asyncio
from collections.abc import Iterator
from itertools import groupby

from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

BATCH = 500
# A queue from which nothing comes for so long has nothing ready for us.
IDLE_SECONDS = 0.3
# RabbitMQ 3.10 keeps the order of what is returned only up to 32 messages of one consumer in one command, and only
# while no more than 32 commands are under way; beyond that it comes back in any order.
AT_ONCE = 30
UNDER_WAY = 4


class Intake:
    """The deliveries of one queue on one channel: held in order, acked or put back."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self._inbox: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        self._name = ""
        self._turn = 0
        self._held: dict[int, int] = {}  # delivery tags, each with its turn
        self._queue: AbstractQueue | None = None
        self._consumer = ""
        self.turn_held = self.turn_newer = 0

    async def open(self, name: str) -> int:
        """Begin to consume; return how many messages are ready."""
        self._name = name
        self._queue = await self._channel.get_queue(name)
        await self._consume()
        return self._queue.declaration_result.message_count or 0

    async def batch(self) -> list[AbstractIncomingMessage]:
        """Take what is there, up to a batch, waiting a moment for the first; empty if nothing comes."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                batch = [await self._inbox.get()]
        except TimeoutError:
            return []
        while len(batch) < BATCH and not self._inbox.empty():
            batch.append(self._inbox.get_nowait())
        self.turn_held += len(batch)
        return batch

    async def turn(self) -> None:
        """Consume anew: the broker gives no more than the prefetch, and a new consumer has one of its own."""
        await self._cancel()
        await self._consume()

    async def ack(self, message: AbstractIncomingMessage) -> None:
        """Let one go for good."""
        tag = message.delivery_tag or 0
        self._held.pop(tag, None)
        self.turn_held -= 1
        await message.channel.basic_ack(tag, wait=False)

    async def put_back(self) -> None:
        """Return everything that is held."""
        await self._cancel()
        underlay = await self._channel.get_underlay_channel()
        for number, tags in enumerate(_together(self._held)):
            await underlay.basic_nack(tags[-1], multiple=True, requeue=True, wait=False)
            if number % UNDER_WAY == 0:
                await self._channel.declare_queue(self._name, passive=True)
        self._held.clear()

    async def _consume(self) -> None:
        assert self._queue is not None
        self._consumer = await self._queue.consume(self._receive)
        self._turn += 1
        self.turn_held = self.turn_newer = 0

    async def _cancel(self) -> None:
        if self._queue is not None and self._consumer:
            consumer, self._consumer = self._consumer, ""
            await self._queue.cancel(consumer)

    async def _receive(self, message: AbstractIncomingMessage) -> None:
        self._held[message.delivery_tag or 0] = self._turn
        self._inbox.put_nowait(message)


def _together(held: dict[int, int]) -> Iterator[list[int]]:
    """Divide delivery tags into what may be returned in one command."""
    for _, tags in groupby(held, key=held.__getitem__):
        turn = list(tags)
        for start in range(0, len(turn), AT_ONCE):
            yield turn[start : start + AT_ONCE]
