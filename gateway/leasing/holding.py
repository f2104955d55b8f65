"""What becomes of the deliveries of one course queue: kept, offered to polls, let go or given back.

The ledger's state says which; here alone they are acked or given back, in tasks, so that deciding stays synchronous.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from time import monotonic
from typing import Any

from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BadMessageError
from broker_setup.ledger.answers import Lease, Standing
from broker_setup.ledger.events import Expired, Superseded
from broker_setup.ledger.ledger import Ledger
from broker_setup.link.ending import Ending
from broker_setup.link.settling import SECRET_PAUSE_SECONDS, Hold, end, ending_after
from broker_setup.parking import Parking
from broker_setup.wire.submissions import Submission, decode_submission
from gateway.leasing.deliveries import Deliveries, Waiting, held_by
from gateway.leasing.superseded_lines import tell_superseded

log = logging.getLogger(__name__)


class Holding:
    """Puts each delivery where the ledger's state says that it belongs."""

    def __init__(
        self,
        queue: str,
        deliveries: Deliveries,
        *,
        ledger: Ledger,
        parking: Parking,
        clock: Callable[[], float],
        steady: Callable[[], float],
    ) -> None:
        self._queue = queue
        self._deliveries = deliveries
        self._ledger = ledger
        self._state = ledger.state
        self._parking = parking
        self._clock = clock
        self._steady = steady
        self._tasks: set[asyncio.Task[None]] = set()

    def received(self, message: Arrival) -> None:
        """Take a delivery from the consumer: it is kept, parked where it can't be read, or let go."""
        try:
            submission = decode_submission(message, self._queue)
        except BadMessageError as error:
            parking = self._parking.unreadable(message, self._queue, str(error))
            self._start(self._end_when_parked([Hold.of(message)], parking))
            return
        uuid = submission.uuid_bytes
        if self._deliveries.hold(uuid, Hold.of(message, submission.redriven)):
            work = held_by(submission)
            size = work + len(submission.sealed_return)
            self._place(Waiting(uuid, submission, monotonic(), size, work), self.standing(uuid))

    def gone(self, submission: bytes) -> None:
        """Let go of a submission's delivery, if it is here: it is settled, or has otherwise left the queue."""
        # Asked again: a redriven copy may be here before the event that parked the copy before it, and is not closed.
        if submission not in self._deliveries:
            return
        standing = self.standing(submission)
        if standing is Standing.CLOSED or standing is Standing.SUPERSEDED:
            self._let_go(submission, standing)

    def ran_out(self, lease: Lease) -> None:
        """Give the delivery of a submission back, if it is here: its lease ran out, or its release came due."""
        if lease.submission in self._deliveries:
            # It may be one that waits for a poll: delivered after the lease ran out, while a late result was tried.
            self.give_one_back(lease.submission)
            if lease.key:
                self._ledger.note(Expired(self._clock(), lease.submission, lease.key))

    def give_back(self) -> None:
        """Return the deliveries that nobody asked for, so that another gateway's grader gets them."""
        # Returned messages go before the others and keep the order in which they were returned: the oldest first.
        for submission in self._deliveries.waiting():
            self.give_one_back(submission)

    def park(self, submission: Submission, why: str) -> None:
        """Have a submission parked, and ack it then."""
        # It may be held twice, and is parked once; or it is not held any more, and is delivered again.
        if holds := self._deliveries.release(submission.uuid_bytes):
            self._start(self._end_when_parked(holds, self._parking.submission(submission, why)))

    def put_off(self, submission: Submission, why: str) -> None:
        """Give a submission back after a while, to whoever knows the secret that its return address is sealed with."""
        about = {"uuid": submission.uuid, "queue": self._queue, "reason": why}
        log.warning("queue %s, submission %s: waits: %s", self._queue, submission.uuid, why, extra=about)
        if holds := self._deliveries.release(submission.uuid_bytes):
            self._start(self._end_later(holds))

    def give_one_back(self, submission: bytes) -> None:
        """Return a submission that was to be leased, and could not be."""
        self._end(self._deliveries.release(submission), Ending.RETURNED)

    def standing(self, submission: bytes) -> Standing:
        """Say what the ledger knows of a submission that is held, as the copy that it is."""
        return self._state.standing(submission, self._steady(), self._deliveries.redriven(submission))

    def look_again(self, waiting: Waiting) -> None:
        """Place a delivery anew that was not leased because something else happened first."""
        if waiting.id in self._deliveries:
            # Without the copy's number of redrives: our void lease came after the redrive, so the state knows of that.
            self._place(waiting, self._state.standing(waiting.id, self._steady()))

    def _place(self, held: Waiting, standing: Standing) -> None:
        match standing:
            case Standing.FREE:
                self._deliveries.offer(held)
            case Standing.CLOSED | Standing.SUPERSEDED:
                self._let_go(held.id, standing)
            case Standing.LEASED:
                pass  # adopted: kept for whoever has leased it, until its result or its expiry

    def _let_go(self, submission: bytes, standing: Standing) -> None:
        if standing is not Standing.CLOSED:
            self._deliveries.withdraw(submission)
            # Acked when the ledger has this event, which a crash in between must not lose.
            by = self._state.superseded_by(submission)
            tell_superseded(submission, by, self._queue)
            self._ledger.note(Superseded(self._clock(), submission, self._queue, by))
        else:
            self._end(self._deliveries.release(submission), Ending.ACKED)

    def _end(self, holds: Iterable[Hold], how: Ending) -> None:
        # Frames leave in the order in which they were decided.
        for hold in holds:
            self._deliveries.ended(hold.consumer_tag)
            end(hold, how)

    async def _end_when_parked(self, holds: Sequence[Hold], parking: Awaitable[None]) -> None:
        self._end(holds, await ending_after(parking, failed=f"queue {self._queue}: a message could not be parked"))

    async def _end_later(self, holds: Sequence[Hold]) -> None:
        await asyncio.sleep(SECRET_PAUSE_SECONDS)
        self._end(holds, Ending.RETURNED)

    def _start(self, ending: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(ending)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
