"""How many submissions of a course queue wait: the broker's count, asked for once by all who ask at the same time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from time import time
from typing import Generic, TypeVar

from aio_pika.abc import AbstractChannel

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.counting import count_waiting
from broker_setup.ledger.state import LedgerState
from broker_setup.link.connection import Link, broker_calls
from broker_setup.topology import submissions_queue
from gateway.leasing.course_queue import CourseQueue

T = TypeVar("T")

ANSWER_SECONDS = 2.0


class Coalesced(Generic[T]):
    """Makes one call for all who ask while another is under way; nobody gets an answer older than its question."""

    def __init__(self, call: Callable[[], Awaitable[T]]) -> None:
        self._call = call
        self._current: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """Return what a call that begins after this moment returns, or raise what it raises."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._current))
            self._next.add_done_callback(_look_at_its_error)
        return await asyncio.shield(self._next)

    async def _after(self, current: asyncio.Task[T] | None) -> T:
        if current is not None:
            await asyncio.wait({current})
        self._current, self._next = self._next, None
        return await self._call()


def _look_at_its_error(call: asyncio.Task[T]) -> None:
    # All who asked may have gone; then nobody else asks for it.
    if not call.cancelled():
        call.exception()


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
            # Over all: the answer may be that of the call after the one that is under way.
            async with asyncio.timeout(within):
                return await self._counts[queue]()
        except TimeoutError:
            raise BrokerUnavailableError("the broker does not say in time how long the queue is") from None

    def _asking(self, queue: str) -> Callable[[], Awaitable[int]]:
        async def ask() -> int:
            with broker_calls("the broker does not say how long the queue is"):
                async with asyncio.timeout(ANSWER_SECONDS):
                    channel = await self._open()
                    declared = await channel.declare_queue(submissions_queue(queue), passive=True)
            ready = declared.declaration_result.message_count or 0
            return count_waiting(self._state, queue, ready + self._queues[queue].waiting_here, time())

        return ask

    async def _open(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._link.channel()
            return self._channel
