"""One course queue as this gateway serves it: deliveries in, leases out, and the one place of ack and nack."""

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from time import monotonic, time

from aio_pika.abc import AbstractIncomingMessage
from aiormq.abc import AbstractChannel

from broker_setup.connection import CONNECTION_ERRORS, Link
from broker_setup.errors import BadMessageError, BrokerUnavailableError
from broker_setup.messages import Submission, decode_submission
from broker_setup.topology import submissions_queue
from gateway.leasing.buffer import Buffer
from gateway.leasing.consumer import Consumer
from gateway.leasing.leases import Lease, Leases, Standing

log = logging.getLogger(__name__)

# A poll of a cold queue waits for the first delivery, less than the one second that some graders have for everything.
FIRST_DELIVERY_SECONDS = 0.25
# A poll that could not even start a consumer is told so within the 3 s in which every caller has its answer.
BROKER_SECONDS = 2.5
# A long poll notices within this time that the broker has gone.
LOOK_AGAIN_SECONDS = 0.5


class Release(Enum):
    """How a hold ends."""

    SETTLED = auto()  # acked: the submission leaves its queue
    RETURNED = auto()  # requeued, to the head of its queue
    PARKED = auto()  # dead-lettered to the parked submissions: it is no submission


@dataclass(frozen=True)
class Hold:
    """An unacked delivery: its tag and channel, not its body."""

    submission: str
    channel: AbstractChannel
    consumer_tag: str
    delivery_tag: int


@dataclass(frozen=True)
class Waiting:
    """A hold that waits for a poll since `since` (monotonic seconds), with what the grader will get."""

    hold: Hold
    submission: Submission
    since: float


@dataclass(frozen=True)
class Handout:
    """What a grader gets: the submission, and the key and expiry of its lease."""

    submission: Submission
    key: str
    lease: Lease


class CourseQueue:
    """Hands out the submissions of one course queue, each to one grader at a time."""

    def __init__(
        self,
        name: str,
        link: Link,
        leases: Leases,
        *,
        processing_delay: float,
        clock: Callable[[], float] = time,
    ) -> None:
        self.name = name
        self._leases = leases
        self._processing_delay = processing_delay
        self._clock = clock
        self._buffer: Buffer[Waiting] = Buffer()
        self._holds: dict[str, Hold] = {}
        self._releases: set[asyncio.Task[None]] = set()
        self._consumer = Consumer(link, submissions_queue(name), self)

    async def run(self) -> None:
        """Serve until cancelled."""
        await self._consumer.run()

    @property
    def waiting_here(self) -> int:
        """How many unleased submissions this gateway has in memory: no longer ready in the broker, yet waiting."""
        return len(self._buffer)

    async def take(self, wait: float = 0.0) -> Handout | None:
        """Lease the next submission; None if there is none within `wait` seconds.

        Raise BrokerUnavailableError if the broker could not be asked.
        """
        start = monotonic()
        self._consumer.demand()
        while True:
            handout = self._lease_next()
            if handout:
                self._consumer.nudge()
                return handout
            now, until = monotonic(), self._patient_until(start, wait)
            if now >= until:
                if not self._consumer.is_consuming:
                    raise BrokerUnavailableError(self._consumer.failure)
                return None
            await self._buffer.wait(min(until - now, LOOK_AGAIN_SECONDS))

    def settled(self, submission: str) -> None:
        """Ack the delivery of `submission`, if it is here: its result is safe."""
        self._buffer.remove(submission)
        self._release_of(submission, Release.SETTLED)

    def ran_out(self, submission: str) -> None:
        """Give the delivery of `submission` back, if it is here: its lease ran out."""
        # A delivery that came after that, while a late result was on its way in vain, may wait for a poll by now.
        self._buffer.remove(submission)
        self._release_of(submission, Release.RETURNED)

    # What the consumer calls.

    def received(self, message: AbstractIncomingMessage) -> None:
        """Take a delivery: settled ones are debris, leased ones are adopted, the others wait for a poll."""
        try:
            submission = decode_submission(message, self.name)
        except BadMessageError as error:
            log.warning("queue %s: parking a message that is no submission: %s", self.name, error)
            self._release(_hold("", message), Release.PARKED)
            return
        hold = _hold(submission.uuid, message)
        if submission.uuid in self._holds:
            # A second copy, from a publish whose confirm got lost: the first stays.
            self._release(hold, Release.SETTLED)
            return
        standing = self._leases.standing(submission.uuid, self._clock())
        if standing is Standing.SETTLED:
            self._release(hold, Release.SETTLED)
            return
        self._holds[submission.uuid] = hold
        if standing is Standing.FREE:
            self._buffer.push(submission.uuid, Waiting(hold, submission, monotonic()))

    def lost(self) -> None:
        """Forget every delivery: their channel is gone, and the broker delivers them anew. The leases stay."""
        self._buffer.drain()
        self._holds.clear()

    def give_back(self) -> None:
        """Return the deliveries that nobody asked for, so that another gateway's grader gets them."""
        # Returned messages go before the others and keep the order in which they were returned: the oldest first.
        for waiting in self._buffer.drain():
            self._release_of(waiting.submission.uuid, Release.RETURNED)

    def buffered(self) -> tuple[int, float, int]:
        """Return how many deliveries wait for a poll, the age of the oldest in seconds, how many polls wait."""
        first = self._buffer.first()
        return len(self._buffer), monotonic() - first.since if first else 0.0, self._buffer.waiting

    # From here on no await stands between looking at the facts and acting on them.

    def _lease_next(self) -> Handout | None:
        while waiting := self._buffer.pop():
            submission = waiting.submission
            now = self._clock()
            # The facts may have changed while it waited: a late result, say.
            match self._leases.standing(submission.uuid, now):
                case Standing.FREE:
                    key = secrets.token_hex(16)
                    lease = self._leases.grant(submission, key, now + self._processing_delay)
                    return Handout(submission, key, lease)
                case Standing.SETTLED:
                    self._release_of(submission.uuid, Release.SETTLED)
                case Standing.LEASED:
                    pass  # adopted: the hold stays
        return None

    def _patient_until(self, start: float, wait: float) -> float:
        if not self._consumer.is_consuming:
            return max(start, self._consumer.stopped_at) + BROKER_SECONDS
        first_delivery = min(start + FIRST_DELIVERY_SECONDS, self._consumer.hopeful_until)
        return max(start + wait, first_delivery)

    def _release_of(self, submission: str, how: Release) -> None:
        hold = self._holds.pop(submission, None)
        if hold:
            self._release(hold, how)

    def _release(self, hold: Hold, how: Release) -> None:
        # A task, so that deciding stays synchronous; frames leave in the order in which they were decided.
        self._consumer.released(hold.consumer_tag)
        task = asyncio.create_task(self._send(hold, how))
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)

    async def _send(self, hold: Hold, how: Release) -> None:
        """Ack or nack: nowhere else in the gateway does either."""
        try:
            match how:
                case Release.SETTLED:
                    await hold.channel.basic_ack(hold.delivery_tag, wait=False)
                case Release.RETURNED:
                    await hold.channel.basic_nack(hold.delivery_tag, requeue=True, wait=False)
                case Release.PARKED:
                    await hold.channel.basic_reject(hold.delivery_tag, requeue=False, wait=False)
        except CONNECTION_ERRORS as error:
            # The channel has gone, and with it the hold: the broker delivers it again, and the facts decide then.
            log.debug("queue %s: a hold was gone before it could be released: %r", self.name, error)


def _hold(submission: str, message: AbstractIncomingMessage) -> Hold:
    return Hold(submission, message.channel, message.consumer_tag or "", message.delivery_tag or 0)
