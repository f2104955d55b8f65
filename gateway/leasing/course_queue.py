"""One course queue as this gateway serves it: deliveries in, leases out."""

import asyncio
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from time import monotonic, time
from typing import Any

from aio_pika.abc import AbstractIncomingMessage

from broker_setup.errors import (
    BadMessageError,
    BadReturnAddressError,
    BrokerUnavailableError,
    UnknownSecretError,
)
from broker_setup.ledger.answers import Lease, Standing
from broker_setup.ledger.events import Expired, Leased, Released, Superseded, hash_key, hash_url
from broker_setup.ledger.heard import steady as steady_clock
from broker_setup.ledger.ledger import Ledger
from broker_setup.link.connection import Link
from broker_setup.link.ending import Ending
from broker_setup.link.settling import SECRET_PAUSE_SECONDS, Hold, end, ending_after
from broker_setup.parking import Parking
from broker_setup.topology import submissions_queue
from broker_setup.wire.return_address import Sealer
from broker_setup.wire.submissions import Submission, decode_submission
from gateway.leasing.attempts import attempt_of, why_parked
from gateway.leasing.buffer import Buffer
from gateway.leasing.consumer import Buffered, Consumer
from gateway.leasing.deadline import in_time
from gateway.leasing.returns import Returns

log = logging.getLogger(__name__)

# A poll of a cold queue waits for the first delivery, less than the one second that some graders have for everything.
FIRST_DELIVERY_SECONDS = 0.25
# A poll that could not even start a consumer is told so within the 3 s in which every caller has its answer.
BROKER_SECONDS = 2.5
# A long poll notices within this time that the broker has gone.
LOOK_AGAIN_SECONDS = 0.5
# What the return addresses of a queue's running leases may take in the memory of each gateway: 100,000 of an Open
# edX's, or 600 of the largest.
MAX_SEALED_BYTES = 64 * 1024 * 1024


class TooMuchLeasedError(BrokerUnavailableError):
    """Nothing more of a queue is handed out until some of what is leased has ended or run out."""

    def __init__(self, queue: str) -> None:
        super().__init__(f"the return addresses of what is leased in queue {queue} are over {MAX_SEALED_BYTES} bytes")


@dataclass(frozen=True)
class Waiting:
    """A held submission that waits for a poll since `since` (monotonic seconds); its message had `size` bytes."""

    id: bytes
    submission: Submission
    since: float
    size: int


@dataclass(frozen=True)
class Handout:
    """What a grader gets: the submission, the key of its lease, and when (seconds since the epoch) that ends."""

    submission: Submission
    key: str
    expires_at: float


class CourseQueue:
    """Hands out the submissions of one course queue, each to one grader at a time."""

    def __init__(
        self,
        name: str,
        *,
        link: Link,
        ledger: Ledger,
        sealer: Sealer,
        parking: Parking,
        returns: Returns,
        processing_delay: float,
        max_attempts: int,
        clock: Callable[[], float] = time,
        steady: Callable[[], float] = steady_clock,
    ) -> None:
        self.name = name
        self._ledger = ledger
        self._state = ledger.state
        self._sealer = sealer
        self._parking = parking
        self._returns = returns
        self._processing_delay = processing_delay
        self._max_attempts = max_attempts
        self._clock = clock
        self._steady = steady
        self._buffer: Buffer[Waiting] = Buffer()
        self._holds: dict[bytes, list[Hold]] = {}
        self._releases: set[asyncio.Task[None]] = set()
        self._consumer = Consumer(link, submissions_queue(name), self)

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._consumer.run()

    @property
    def waiting_here(self) -> int:
        """How many unleased submissions this gateway has in memory: no longer ready in the broker, yet waiting."""
        return len(self._buffer)

    async def take(self, limit: int = 1, wait: float = 0.0) -> list[Handout]:
        """Lease up to `limit` submissions, waiting up to `wait` seconds for the first; none if none comes.

        Raise BrokerUnavailableError if the broker or the ledger could not be asked.
        """
        async with in_time(extra=wait):
            return await self._take(limit, wait)

    async def _take(self, limit: int, wait: float) -> list[Handout]:
        await self._ledger.wait_up_to_date()
        if problem := self._ledger.clock_problem:
            raise BrokerUnavailableError(problem)
        if self._state.sealed_in(self.name, self._steady()) > MAX_SEALED_BYTES:
            raise TooMuchLeasedError(self.name)
        start = monotonic()
        self._consumer.demand(limit)
        first_at = None
        while True:
            now, buffered = monotonic(), len(self._buffer)
            if buffered:
                # What came with the first comes at once.
                first_at = first_at or now
                until = min(self._consumer.hopeful_until, first_at + FIRST_DELIVERY_SECONDS)
                if buffered >= limit or now >= until:
                    handouts = await self._lease(limit)
                    if handouts:
                        return handouts
                    continue
            else:
                first_at = None
                until = self._patient_until(start, wait)
                if now >= until:
                    if not self._consumer.is_consuming:
                        raise BrokerUnavailableError(self._consumer.failure)
                    return []
            await self._buffer.wait(min(until - now, LOOK_AGAIN_SECONDS))

    def submitted(self) -> None:
        """Note that a submission was accepted just now: a poll waits a moment for its delivery."""
        self._consumer.expect()

    def take_back(self, handouts: Sequence[Handout]) -> None:
        """Release leases at once: whoever asked for them has gone. Where that is a habit, they run out."""
        now = self._clock()
        for handout in handouts:
            if self._returns.take(self.name, handout.submission.sealed_return):
                continue
            key = hash_key(handout.key)
            self._ledger.note(Released(now, handout.submission.uuid_bytes, key, available_at=now, failed=False))

    def gone(self, submission: bytes) -> None:
        """Let go of a submission's delivery, if it is here: it is settled, or has otherwise left the queue."""
        # A redriven copy may be here before the event by which its forerunner was parked.
        if submission in self._holds and self._standing(submission) in {Standing.CLOSED, Standing.SUPERSEDED}:
            self._buffer.remove(submission)
            self._let_go(submission)

    def ran_out(self, lease: Lease) -> None:
        """Give the delivery of a submission back, if it is here: its lease ran out, or its release came due."""
        if lease.submission in self._holds:
            # A delivery that came after that, while a late result was on its way in vain, may wait for a poll by now.
            self._buffer.remove(lease.submission)
            self._release_of(lease.submission, Ending.RETURNED)
            if lease.key:
                self._ledger.note(Expired(self._clock(), lease.submission, lease.key))

    # What the consumer calls.

    def received(self, message: AbstractIncomingMessage) -> None:
        """Take a delivery: closed ones are debris, leased ones are adopted, the others wait for a poll."""
        hold = Hold.of(message)
        try:
            submission = decode_submission(message, self.name)
        except BadMessageError as error:
            self._put_aside([hold], self._parking.unreadable(message, self.name, str(error)))
            return
        hold = replace(hold, redriven=submission.redriven)
        uuid = submission.uuid_bytes
        if uuid in self._holds:
            # Delivered again though we hold it: the queue's leader had lost this node for a moment and took it back. Or
            # there are two of it. Either way both end as the one: never ack what is not settled.
            self._holds[uuid].append(hold)
            return
        self._holds[uuid] = [hold]
        match self._standing(uuid):
            case Standing.FREE:
                self._buffer.push(uuid, Waiting(uuid, submission, monotonic(), len(message.body)))
            case Standing.CLOSED | Standing.SUPERSEDED:
                self._let_go(uuid)
            case Standing.LEASED:
                pass  # adopted

    def lost(self) -> None:
        """Forget every delivery: their channel is gone, and the broker delivers them anew. The leases stay."""
        self._buffer.drain()
        self._holds.clear()

    def give_back(self) -> None:
        """Return the deliveries that nobody asked for, so that another gateway's grader gets them."""
        # Returned messages go before the others and keep the order in which they were returned: the oldest first.
        for waiting in self._buffer.drain():
            self._release_of(waiting.id, Ending.RETURNED)

    def buffered(self) -> Buffered:
        """Say what waits here."""
        first = self._buffer.first()
        return Buffered(
            number=len(self._buffer),
            bytes=sum(waiting.size for waiting in self._buffer),
            oldest=monotonic() - first.since if first else 0.0,
            waiting=self._buffer.waiting,
        )

    def _patient_until(self, start: float, wait: float) -> float:
        if not self._consumer.is_consuming:
            return max(start, self._consumer.stopped_at) + BROKER_SECONDS
        first_delivery = min(start + FIRST_DELIVERY_SECONDS, self._consumer.hopeful_until)
        return max(start + wait, first_delivery)

    # Leasing. What is decided here on a state that lags behind is decided again, for all gateways alike, when the
    # event's turn comes in the ledger: so it may await in between.

    async def _lease(self, limit: int) -> list[Handout]:
        chosen: list[Waiting] = []
        while len(chosen) < limit and (waiting := self._buffer.pop()):
            chosen.append(waiting)
        # A task of its own: a grader that hangs up now must not leave leases that nobody knows of.
        leasing = asyncio.create_task(self._lease_all(chosen))
        try:
            return await asyncio.shield(leasing)
        except asyncio.CancelledError:
            leasing.add_done_callback(self._hung_up_on)
            raise

    async def _lease_all(self, chosen: Sequence[Waiting]) -> list[Handout]:
        outcomes = await asyncio.gather(*(self._lease_one(waiting) for waiting in chosen), return_exceptions=True)
        self._consumer.nudge()
        handouts = [outcome for outcome in outcomes if isinstance(outcome, Handout)]
        for outcome in outcomes:
            if isinstance(outcome, BaseException) and not handouts:
                raise outcome
        return handouts

    async def _lease_one(self, waiting: Waiting) -> Handout | None:
        submission, now, key = waiting.submission, self._clock(), secrets.token_hex(16)
        if self._standing(waiting.id) is Standing.FREE:
            last = self._state.lease_of(waiting.id)
            if last:
                # It has run out, as we have measured; where its gateway's clock is ahead, others' must find so, too.
                now = max(now, last.expires_at)
            attempt = attempt_of(submission, last)
            if attempt > self._max_attempts:
                self._park(replace(submission, attempt=attempt - 1), why_parked(attempt - 1, last))
                return None
            try:
                address = self._sealer.open(submission.sealed_return, submission.uuid)
                event = Leased(
                    at=now,
                    submission=waiting.id,
                    queue=self.name,
                    url=hash_url(address.callback_url),
                    key=hash_key(key),
                    expires_at=now + self._processing_delay,
                    sealed=submission.sealed_return,
                    attempt=attempt,
                    after=last.key if last else b"",
                )
                if await self._ledger.record(event):
                    return Handout(submission, key, event.expires_at)
            except BadReturnAddressError as error:
                self._park(submission, str(error))
                return None
            except UnknownSecretError as error:
                self._put_off(submission, str(error))
                return None
            except BrokerUnavailableError:
                # The lease may turn up in the ledger all the same, and nobody has its key.
                self._ledger.note(Released(now, waiting.id, hash_key(key), available_at=now, failed=False))
                self._release_of(waiting.id, Ending.RETURNED)
                raise
        self._look_again(waiting)
        return None

    def _standing(self, submission: bytes) -> Standing:
        redriven = max((hold.redriven for hold in self._holds.get(submission, ())), default=0)
        return self._state.standing(submission, self._steady(), redriven)

    def _look_again(self, waiting: Waiting) -> None:
        if waiting.id not in self._holds:
            return
        # Not as a redriven copy any more: where our lease was void, its turn came after the redrive's.
        match self._state.standing(waiting.id, self._steady()):
            case Standing.FREE:
                self._buffer.push(waiting.id, waiting)
            case Standing.CLOSED | Standing.SUPERSEDED:
                self._let_go(waiting.id)
            case Standing.LEASED:
                pass  # adopted

    def _hung_up_on(self, leasing: "asyncio.Task[list[Handout]]") -> None:
        if not leasing.cancelled() and not leasing.exception():
            self.take_back(leasing.result())

    def _let_go(self, submission: bytes) -> None:
        if self._state.standing(submission, self._steady()) is not Standing.CLOSED:
            # Acked once the ledger says that it left: a crash in between must not lose that.
            by = self._state.superseded_by(submission)
            self._ledger.note(Superseded(self._clock(), submission, self.name, by))
        else:
            self._release_of(submission, Ending.ACKED)

    def _park(self, submission: Submission, why: str) -> None:
        # It may be here twice, which is one to the parked queue; or not any more, and then it comes again.
        if holds := self._holds.pop(submission.uuid_bytes, ()):
            self._put_aside(holds, self._parking.submission(submission, why))

    def _put_off(self, submission: Submission, why: str) -> None:
        log.warning("queue %s, submission %s: waits: %s", self.name, submission.uuid, why)
        if holds := self._holds.pop(submission.uuid_bytes, ()):
            self._keep_track(self._release_later(holds))

    async def _release_later(self, holds: Sequence[Hold]) -> None:
        await asyncio.sleep(SECRET_PAUSE_SECONDS)
        for hold in holds:
            self._release(hold, Ending.RETURNED)

    def _put_aside(self, holds: Sequence[Hold], parking: Awaitable[None]) -> None:
        self._keep_track(self._release_parked(holds, parking))

    async def _release_parked(self, holds: Sequence[Hold], parking: Awaitable[None]) -> None:
        how = await ending_after(parking, failed=f"queue {self.name}: a message could not be parked")
        for hold in holds:
            self._release(hold, how)

    def _release_of(self, submission: bytes, how: Ending) -> None:
        for hold in self._holds.pop(submission, ()):
            self._release(hold, how)

    def _release(self, hold: Hold, how: Ending) -> None:
        # A task, so that deciding stays synchronous; frames leave in the order in which they were decided.
        self._consumer.released(hold.consumer_tag)
        self._keep_track(end(hold, how))

    def _keep_track(self, release: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(release)
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)
