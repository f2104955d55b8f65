"""Takes in the deliveries of one queue, a turn at a time, holds them in order, and acks or puts them back."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import groupby
from math import inf
from time import monotonic
from typing import Any

from broker_setup.amqp.channel import Channel
from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.broker_calls import CONNECTION_ERRORS
from broker_setup.link.connection import Link
from broker_setup.link.ending import Ending, end_delivery
from broker_setup.link.refusals import in_words

# A queue from which nothing comes for so long has nothing ready for us, once all that it counted has come; until then
# it may be a broker that is busy, or somebody who holds them for a moment.
IDLE_SECONDS = 0.3
# Above that of all others, who set none.
FIRST_PRIORITY = 10
READ_TURN = 100
STALL_SECONDS = 4.0
# RabbitMQ 3.10 keeps the order of what is returned only up to 32 messages of one consumer in one command, and only
# while no more than 32 commands are under way; beyond that it comes back in any order, and acks that wait behind them
# are lost when the channel closes. So now and then we ask something that is answered after them - and what is answered
# is not yet done by a busy broker: what was returned is under way until the queue counts it as ready again.
AT_ONCE = 30
UNDER_WAY = 4
ACKS_UNDER_WAY = 10
# If it does not get there in so long, somebody else takes from the queue, and its order is no longer ours to keep.
RETURN_SECONDS = 5.0
RETURN_POLL_SECONDS = 0.01


@asynccontextmanager
async def taking_in(source: Link, *, first: bool = False) -> AsyncIterator["Intake"]:
    """Take in on a channel of its own; at the end, interrupted or not, what was not acked goes back to where it was.

    `first`: while we consume, nobody else gets what comes back to the queue, or is new there.
    Raise BrokerUnavailableError if the broker is lost.
    """
    channel = await source.channel()
    intake = Intake(channel, {"x-priority": FIRST_PRIORITY} if first else {})
    try:
        yield intake
    except CONNECTION_ERRORS as error:
        raise BrokerUnavailableError(f"the broker was lost: {in_words(error)}") from error
    finally:
        with contextlib.suppress(BrokerUnavailableError, *CONNECTION_ERRORS):
            await intake.put_back()
            await channel.close()


async def read_all(source: Link, queue: str) -> list[Arrival]:
    """Read what lies in a queue, and leave it there; raise BrokerUnavailableError if not all of it comes."""
    async with taking_in(source) as intake:
        ready = await intake.open(queue)
        found: list[Arrival] = []
        while ready and intake.left:
            turn = await intake.take(min(READ_TURN, intake.left))
            if not turn:
                raise BrokerUnavailableError(f"not all of {queue!r} came: another command reads it; run it again")
            found += turn
        return found


class Intake:
    """The deliveries of one queue on one channel: held in order, acked or put back.

    Each turn has a consumer of its own, which ends before anything of it is acked: an ack would make room for a
    delivery that comes when the consumer is gone, and that we would put back behind those that follow it.
    """

    def __init__(self, channel: Channel, arguments: dict[str, Any] | None = None) -> None:
        """Consume with these `arguments`."""
        self._channel = channel
        self._arguments = arguments or {}
        self._inbox: asyncio.Queue[Arrival] = asyncio.Queue()
        self._name = ""
        self._counted = 0
        self._taken = 0
        self._turn = 0
        self._held: dict[int, int] = {}  # delivery tags, each with its turn
        self._consumer = ""

    async def open(self, name: str) -> int:
        """Find the queue; return how many messages are ready."""
        self._name = name
        self._counted = await self._sync()
        return self._counted

    @property
    def left(self) -> int:
        """How many of those that were ready have not come yet."""
        return max(0, self._counted - self._taken)

    async def take(self, most: int, *, within: float = inf) -> list[Arrival]:
        """Take the next messages, up to `most`, waiting a moment for each; empty if nothing comes.

        While some of those that were ready are left, the first of a turn has a few seconds to come. With `within` the
        turn ends after so many seconds, whatever comes.
        """
        ends = monotonic() + within
        await self._channel.set_prefetch(most)
        self._turn += 1
        self._consumer = await self._channel.consume(self._name, self._receive, self._arguments)
        taken: list[Arrival] = []
        with contextlib.suppress(TimeoutError):
            while len(taken) < most:
                patience = STALL_SECONDS if self.left and not taken else IDLE_SECONDS
                async with asyncio.timeout(min(patience, max(0.0, ends - monotonic()))):
                    taken.append(await self._inbox.get())
        await self._cancel()
        while not self._inbox.empty():
            taken.append(self._inbox.get_nowait())
        self._taken += len(taken)
        return taken

    async def ack(self, messages: Iterable[Arrival]) -> None:
        """Let some go for good."""
        await self.ack_tags(message.delivery_tag for message in messages)

    async def ack_tags(self, tags: Iterable[int]) -> None:
        """Do the same where only the tags of their deliveries were kept."""
        number = 0
        for number, tag in enumerate(tags, start=1):
            self._held.pop(tag, None)
            end_delivery(self._channel, tag, Ending.ACKED)
            if number % ACKS_UNDER_WAY == 0:
                await self._sync()
        if number % ACKS_UNDER_WAY:
            await self._sync()

    async def put_back(self) -> None:
        """Return everything that is held."""
        await self._cancel()
        if not self._held:
            return
        ready, patience = await self._sync(), RETURN_SECONDS
        for number, tags in enumerate(_together(self._held), start=1):
            end_delivery(self._channel, tags[-1], Ending.RETURNED, multiple=True)
            ready += len(tags)
            if number % UNDER_WAY == 0:
                patience = RETURN_SECONDS if await self._comes_to(ready, patience) else 0.0
        self._held.clear()

    async def _comes_to(self, ready: int, patience: float) -> bool:
        """Wait until the queue has so many ready messages, for so many seconds; say whether it has."""
        deadline = monotonic() + patience
        while await self._sync() < ready:
            if monotonic() >= deadline:
                return False
            await asyncio.sleep(RETURN_POLL_SECONDS)
        return True

    async def _sync(self) -> int:
        """Return how many messages are ready, once the broker has read all that we sent before."""
        return await self._channel.count_ready(self._name)

    async def _cancel(self) -> None:
        if self._consumer:
            consumer, self._consumer = self._consumer, ""
            await self._channel.cancel(consumer)

    def _receive(self, message: Arrival) -> None:
        self._held[message.delivery_tag] = self._turn
        self._inbox.put_nowait(message)


def _together(held: dict[int, int]) -> Iterator[list[int]]:
    """Divide delivery tags into what may be returned in one command."""
    for _, tags in groupby(held, key=held.__getitem__):
        turn = list(tags)
        for start in range(0, len(turn), AT_ONCE):
            yield turn[start : start + AT_ONCE]
