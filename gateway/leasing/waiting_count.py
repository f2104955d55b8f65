"""How many submissions of a course queue wait: the broker's count, asked for once by all who ask at the same time."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import TracebackType

from broker_setup.amqp.channel import Channel
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
# For so long a count is good enough for a submit among others, with what was stored since: it is only for show, and to
# ask costs half as much as a submit.
FRESH_SECONDS = 0.2
# A submit that begins later has the next one asked for, so that it is there when the submit is stored.
FOLLOWED_SECONDS = FRESH_SECONDS / 2
WHAT_FAILED = "the broker does not say how long the queue is"


@dataclass
class _Count:
    """How many waited in a queue, as they were asked for `at` (steady), and how many this gateway took in since."""

    waiting: int
    at: float
    submitted: int = 0
    is_followed: bool = False  # whether the next count is on its way


class WaitingCount:
    """Counts the unleased submissions of each course queue."""

    def __init__(
        self,
        link: Link,
        queues: Mapping[str, CourseQueue],
        state: LedgerState,
        clock: Callable[[], float] = steady,
    ) -> None:
        self._link = link
        self._clock = clock
        self._state = state
        self._queues = queues
        self._channel: Channel | None = None
        self._opening = asyncio.Lock()
        self._counts = {name: Coalesced(self._asking(name)) for name in queues}
        self._last: dict[str, _Count] = {}
        self._under_way: Counter[str] = Counter()

    async def of(self, queue: str, *, within: float = ANSWER_SECONDS) -> int:
        """Count what waits in `queue`; raise BrokerUnavailableError if the broker can't say within so many seconds."""
        try:
            # Around all of it: the question may have to wait for one that is under way.
            async with asyncio.timeout(within):
                return await self._counts[queue]()
        except TimeoutError:
            raise BrokerUnavailableError("the broker does not say in time how long the queue is") from None

    def submitting(self, queue: str) -> "Submitting":
        """Be told of a submit to `queue`, from before it is published until it is stored."""
        last = self._last.get(queue)
        if last and self._under_way[queue] and not last.is_followed and self._clock() - last.at >= FOLLOWED_SECONDS:
            last.is_followed = True
            self._counts[queue].begin()
        return Submitting(queue, self._last, self._under_way)

    def at_hand(self, queue: str) -> int | None:
        """Count what waits after a submit; None where only the broker can say.

        While other submits are under way no count is exact for longer than a moment: one that is a moment old will do,
        with what came since. Whoever submits alone is told the broker's count.
        """
        last = self._last.get(queue)
        if last is None or not self._under_way[queue]:
            return None
        return last.waiting + last.submitted if self._clock() - last.at < FRESH_SECONDS else None

    def _asking(self, queue: str) -> Callable[[], Awaitable[int]]:
        async def ask() -> int:
            at = self._clock()
            with broker_calls(WHAT_FAILED):
                async with asyncio.timeout(GIVE_UP_SECONDS):
                    try:
                        with broker_calls(WHAT_FAILED):
                            ready = await _count(await self._open(), queue)
                    except BrokerUnavailableError:
                        # A missing queue closes the channel under all questions on it: ask again on one of its own.
                        ready = await self._ask_alone(queue)
            waiting = self._state.waiting_in(queue, ready + self._queues[queue].waiting_here, self._clock())
            self._last[queue] = _Count(waiting, at)
            return waiting

        return ask

    async def _ask_alone(self, queue: str) -> int:
        channel = await self._link.channel()
        try:
            return await _count(channel, queue)
        finally:
            await close_channel(channel)

    async def _open(self) -> Channel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._link.channel()
            return self._channel


class Submitting:
    """One submit, under way while its block runs; counted if it began after the last count and was stored."""

    __slots__ = ("_before", "_last", "_queue", "_under_way")

    def __init__(self, queue: str, last: Mapping[str, _Count], under_way: Counter[str]) -> None:
        self._queue = queue
        self._last = last
        self._under_way = under_way

    def __enter__(self) -> None:
        self._under_way[self._queue] += 1
        self._before = self._last.get(self._queue)

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        self._under_way[self._queue] -= 1
        last = self._last.get(self._queue)
        # Whether a count knows of a submit that was on its way, nobody can tell.
        if kind is None and last and last is self._before:
            last.submitted += 1


async def _count(channel: Channel, queue: str) -> int:
    return await channel.count_ready(submissions_queue(queue))
