"""Takes in what AMQP graders rejected: a failed attempt goes back into its queue, one too many is parked.

Leases that run out or are released as failed are counted in the ledger (lease_decision.py); an AMQP grader's failures
are counted here, in the message, together with those of the ledger.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from time import time

from msgspec.structs import replace

from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BadMessageError, MistakeError, UnroutableError
from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import Superseded
from broker_setup.ledger.heard import steady as steady_clock
from broker_setup.ledger.ledger import Ledger
from broker_setup.link.connection import Link
from broker_setup.link.publisher import Publisher
from broker_setup.link.settling import despite_mistakes, end_message, ending_after
from broker_setup.link.steady_consumer import SteadyConsumer
from broker_setup.parking import Parking
from broker_setup.topology import SUBMISSIONS_EXCHANGE, SUBMISSIONS_FAILED, submissions_queue
from broker_setup.wire.parked import Kind, read_parked
from broker_setup.wire.properties import returns_of
from broker_setup.wire.reply_checker import DeadlyMessageError, ReplyChecker
from broker_setup.wire.submissions import Submission, decode_submission, encode_submission
from gateway.leasing.lease_decision import attempt_of
from gateway.leasing.superseded_lines import tell_superseded

log = logging.getLogger(__name__)

# Few submissions fail, and each takes only as long as two confirms.
PREFETCH = 20


class Failures:
    """Consumes the failed submissions; any gateway may take any of them."""

    def __init__(
        self,
        link: Link,
        *,
        publisher: Publisher,
        ledger: Ledger,
        parking: Parking,
        checker: ReplyChecker,
        max_attempts: int,
        clock: Callable[[], float] = time,
        steady: Callable[[], float] = steady_clock,
    ) -> None:
        self._publisher = publisher
        self._ledger = ledger
        self._parking = parking
        self._checker = checker
        self._max_attempts = max_attempts
        self._clock = clock
        self._steady = steady
        self._consumer = SteadyConsumer(link, SUBMISSIONS_FAILED, prefetch=PREFETCH, received=self._received)
        self._under_way: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._consumer.run()

    def _received(self, message: Arrival) -> None:
        task = asyncio.create_task(self._settle(message))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _settle(self, message: Arrival) -> None:
        how = await ending_after(self._take(message), failed=f"submission {message.correlation_id}: it failed")
        end_message(message, how)

    async def _take(self, message: Arrival) -> None:
        """Do what is to be done before the delivery is acked."""
        await self._ledger.wait_up_to_date()
        queue = course_queue_of(message)
        try:
            await despite_mistakes(
                partial(self._take_of, message, queue), whose=f"submission {message.correlation_id}: it failed"
            )
        except MistakeError as error:
            # It would come again without end, and nobody would see it.
            await self._parking.unreadable(message, queue, str(error))

    async def _take_of(self, message: Arrival, queue: str) -> None:
        try:
            await self._checker.taste(message.body, returns_of(message))
            submission = decode_submission(message, queue)
        except (BadMessageError, DeadlyMessageError) as error:
            await self._parking.unreadable(message, queue, str(error))
            return
        uuid, now = submission.uuid_bytes, self._clock()
        match self._ledger.state.standing(uuid, self._steady(), submission.redriven):
            case Standing.CLOSED:
                about = {"uuid": submission.uuid, "queue": queue}
                log.info("submission %s: failed after it had ended", submission.uuid, extra=about)
            case Standing.SUPERSEDED:
                # Stored before it is acked: a crash in between must not lose that.
                by = self._ledger.state.superseded_by(uuid)
                await self._ledger.store(Superseded(now, uuid, queue, by))
                tell_superseded(uuid, by, queue)
            case _:
                attempt = attempt_of(submission, self._ledger.state.lease_of(uuid))
                await self._failed(replace(submission, attempt=attempt))

    async def _failed(self, submission: Submission) -> None:
        if submission.attempt >= self._max_attempts:
            await self._parking.submission(submission, f"failed {submission.attempt} times")
            return
        about = {"uuid": submission.uuid, "queue": submission.queue}
        log.info(
            "submission %s: failed, attempt %d, queue %s",
            submission.uuid,
            submission.attempt,
            submission.queue,
            extra=about,
        )
        again = encode_submission(replace(submission, attempt=submission.attempt + 1))
        try:
            await self._publisher.publish_copy(again, exchange=SUBMISSIONS_EXCHANGE, routing_key=submission.queue)
        except UnroutableError as error:
            # The queue was deleted or never existed: waiting for it here would keep the others from being dealt with.
            await self._parking.submission(submission, str(error))


def course_queue_of(message: Arrival) -> str:
    """Say which course queue a failed submission was in: RabbitMQ's word for it, before the message's own."""
    deaths = message.headers.get("x-death")
    newest = deaths[0] if isinstance(deaths, list) and deaths else None
    died_in = newest.get("queue") if isinstance(newest, Mapping) else None
    before_its_name = submissions_queue("")
    if isinstance(died_in, str) and died_in.startswith(before_its_name):
        return died_in.removeprefix(before_its_name)
    return read_parked(message, Kind.SUBMISSION).queue
