"""How many submissions of a course queue wait: the broker's count, asked for once by all who ask at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aio_pika.abc import AbstractChannel

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.heard import steady
from broker_setup.ledger.state import LedgerState
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.link.connection import Link
from broker_setup.process.coalesced import Coalesced
from broker_setup.topology import submissions_queue
from gateway.leasing.course_queue import CourseQueue

ANSWER_SECONDS = 2.0
# Callers wait less. The question itself is given up, and its channel closed, only so that none stands for ever.
GIVE_UP_SECONDS = 30.0
WHAT_FAILED = "the broker does not say how long the queue is"


class WaitingCount:
    """Counts the unleased submissions of each course queue."""

    def __init__(self, link: Link, queues: Mapping[str, CourseQueue], state: LedgerState) -> None:
        self._link = link
        self._state = state
        self._queues = queues
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()
        self._counts = {name: Coalesced(self._asking(name)) for name in queues}

    async def of(self, queue: str, *, within: float = ANSWER_SECONDS) -> int:
        """Count what waits in `queue`; raise BrokerUnavailableError if the broker can't say within so many seconds."""
        try:
            # Around all of it: the question may have to wait for one that is under way.
            async with asyncio.timeout(within):
                return await self._counts[queue]()
        except TimeoutError:
            raise BrokerUnavailableError("the broker does not say in time how long the queue is") from None

    def _asking(self, queue: str) -> Callable[[], Awaitable[int]]:
        async def ask() -> int:
            with broker_calls(WHAT_FAILED):
                async with asyncio.timeout(GIVE_UP_SECONDS):
                    try:
                        with broker_calls(WHAT_FAILED):
                            ready = await _count(await self._open(), queue)
                    except BrokerUnavailableError:
                        # A missing queue closes the channel under all questions on it: ask again on one of its own.
                        ready = await self._ask_alone(queue)
            return self._state.waiting_in(queue, ready + self._queues[queue].waiting_here, steady())

        return ask

    async def _ask_alone(self, queue: str) -> int:
        channel = await self._link.channel()
        try:
            return await _count(channel, queue)
        finally:
            await close_channel(channel)

    async def _open(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._link.channel()
            return self._channel


async def _count(channel: AbstractChannel, queue: str) -> int:
    declared = await channel.declare_queue(submissions_queue(queue), passive=True)
    return declared.declaration_result.message_count or 0
