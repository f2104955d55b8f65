"""Stores results that were found welcome: published with a confirm, then recorded in the ledger.

No task waits for that: each goes on when the broker has it, whether or not its grader is still there.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.answers import Take
from broker_setup.ledger.events import Amended, Graded
from broker_setup.ledger.ledger import Ledger
from broker_setup.link.publisher import Publisher
from broker_setup.topology import CHECKED_EXCHANGE, CHECKED_QUEUE
from broker_setup.wire.results import Result, encode_result

# Some 3 MB. A result that is forgotten here is published again when its grader tries again, and the relay drops it.
MAX_UNRECORDED = 10_000


class HandingIn:
    """Stores one result of a submission at a time."""

    def __init__(self, ledger: Ledger, publisher: Publisher, clock: Callable[[], float]) -> None:
        self._ledger = ledger
        self._publisher = publisher
        self._clock = clock
        self._under_way: dict[bytes, UnderWay] = {}
        # The digests of results that the broker has and the ledger may not know of yet, by submission and amendment:
        # their events are noted, and nobody says when they are written.
        self._unrecorded: dict[tuple[bytes, int], bytes] = {}

    def under_way(self, submission: bytes) -> "UnderWay | None":
        """Return the result of this submission that is on its way to the broker right now, if there is one."""
        return self._under_way.get(submission)

    def begin(self, welcome: Take, body: bytes, digest: bytes, odd: str) -> "UnderWay":
        """Store a result, of whose submission none is under way."""
        lease, amendment, now = welcome.lease, welcome.amendment, self._clock()
        event = (
            Amended(now, lease.submission, lease.key, digest, amendment)
            if amendment
            else Graded(now, lease.submission, lease.queue, lease.url, lease.key, digest, odd)
        )
        result = self._under_way[lease.submission] = UnderWay(event, amendment)
        try:
            # Published before it is written down: the other way round, a crash in between would lose it.
            if self._unrecorded.get(result.name) == digest:
                self._record(result)
            else:
                self._publish(result, body, lease.sealed)
        except Exception as error:  # noqa: BLE001 - whoever handed it in is told
            self._end(result, error)
        return result

    def _publish(self, result: "UnderWay", body: bytes, sealed: str) -> None:
        message = encode_result(
            Result(result.event.submission.hex(), body, sealed, amendment=result.amendment, recorded=True)
        )
        published = self._publisher.begin_to_publish(message, exchange=CHECKED_EXCHANGE, routing_key=CHECKED_QUEUE)
        published.add_done_callback(partial(self._published, result))

    def _published(self, result: "UnderWay", published: asyncio.Future[None]) -> None:
        if error := published.exception():
            self._end(result, error)
            return
        self._unrecorded[result.name] = result.event.digest
        if len(self._unrecorded) > MAX_UNRECORDED:
            del self._unrecorded[next(iter(self._unrecorded))]
        try:
            self._record(result)
        except Exception as mistake:  # noqa: BLE001 - as above
            self._end(result, mistake)

    def _record(self, result: "UnderWay") -> None:
        try:
            recorded = self._ledger.begin_to_record(result.event)
        except BrokerUnavailableError:
            self._ledger.note(result.event)
            raise
        recorded.add_done_callback(partial(self._recorded, result))

    def _recorded(self, result: "UnderWay", recorded: asyncio.Future[bool]) -> None:
        error = recorded.exception()
        if isinstance(error, BrokerUnavailableError):
            self._ledger.note(result.event)
        elif error is None:
            self._unrecorded.pop(result.name, None)
            result.is_valid = recorded.result()
        self._end(result, error)

    def _end(self, result: "UnderWay", error: BaseException | None) -> None:
        del self._under_way[result.event.submission]
        result.end(error)


class UnderWay:
    """A result on its way, and who waits for what becomes of it: whoever gives up stops nobody else."""

    __slots__ = ("_error", "_is_over", "_waiters", "amendment", "event", "is_valid", "name")

    def __init__(self, event: Graded | Amended, amendment: int) -> None:
        self.event = event
        self.amendment = amendment
        self.name = (event.submission, amendment)
        self.is_valid = False
        self._is_over = False
        self._error: BaseException | None = None
        self._waiters: list[asyncio.Future[None]] = []

    async def outcome(self) -> bool:
        """Return when it is safe, and whether it came first; or raise what became of it instead."""
        await self.over()
        if self._error:
            raise self._error
        return self.is_valid

    async def over(self) -> None:
        """Return when nothing is under way any more."""
        if not self._is_over:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.append(waiter)
            await waiter

    def end(self, error: BaseException | None) -> None:
        """Be over: safe, or not."""
        self._is_over, self._error = True, error
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
