"""Leasing without a broker: a ledger that lives in memory, a channel that takes notes, a clock that stands still."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.heard import Heard
from broker_setup.ledger.ledger import Gone, Ledger
from broker_setup.ledger.state import LedgerState
from broker_setup.link.connection import Link
from broker_setup.link.pauses import Pauses
from broker_setup.link.publisher import Publisher
from broker_setup.parking import Parking
from broker_setup.topology import CHECKED_EXCHANGE, CHECKED_QUEUE, PARKED_EXCHANGE, SUBMISSIONS_PARKED, paused_queue
from broker_setup.wire.properties import AMENDMENT_HEADER, RETURN_HEADER
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.submissions import Submission, encode_submission
from gateway.leasing.course_queue import CourseQueue
from gateway.leasing.handing_out import Handout
from gateway.leasing.returns import Returns
from tests.support.ledger_events import URL, uuid_of

DELAY = 60.0
MAX_ATTEMPTS = 3
QUEUE = "openedx"
FAILURE = "We are <sorry>."


def anywhere(queue: str) -> bool:
    """Permit every queue."""
    return True


class FakeLedger:
    """The ledger as a gateway uses it: its own events and `unread`, which others wrote and this one hears of later."""

    def __init__(self) -> None:
        self.state = LedgerState()
        self.events: list[AnyEvent] = []  # in the ledger's order, as far as they were read
        self.noted: list[AnyEvent] = []
        self.stored: list[AnyEvent] = []
        self.clock_problem = ""
        self.now: float | None = None  # when it reads what it reads, if that is told
        self.unread: list[AnyEvent] = []
        self.away = False  # takes nothing, and says so
        self.swallows = False  # takes an event, and does not say so in time
        self.barriers = 0
        self.in_time = asyncio.Event()  # cleared: records wait
        self.in_time.set()
        self._unwritten: list[AnyEvent] = []
        self._gone: Gone = lambda queue, submission: None

    @property
    def as_ledger(self) -> Ledger:
        return cast("Ledger", self)

    def on_gone(self, gone: Gone) -> None:
        self._gone = gone

    async def wait_up_to_date(self) -> None:
        """Always so, unless a test is about the opposite."""

    async def barrier(self) -> None:
        self._refuse_if_away()
        self.barriers += 1
        self.read()

    async def record(self, event: AnyEvent) -> bool:
        self._refuse_if_away()
        await self.in_time.wait()
        self._refuse_if_away()
        self.read()
        valid = self.happens(event)
        if self.swallows:
            raise BrokerUnavailableError("the ledger is not being read at the moment")
        return valid

    def begin_to_record(self, event: AnyEvent) -> asyncio.Future[bool]:
        return asyncio.ensure_future(self.record(event))

    def note(self, event: AnyEvent) -> None:
        self.noted.append(event)
        if self.away:
            self._unwritten.append(event)
        else:
            self.happens(event)

    async def store(self, *events: AnyEvent) -> None:
        self._refuse_if_away()
        if events:
            await self.in_time.wait()
        self._refuse_if_away()
        self.stored += events
        self.happens(*events)

    def happens(self, *events: AnyEvent) -> bool:
        """Read events that stand in the ledger now; say whether the last one was valid."""
        valid = True
        for event in events:
            self.events.append(event)
            outcome = self.state.apply(event, None if self.now is None else Heard(self.now, self.now))
            valid = outcome.valid
            for queue, submission in outcome.gone:
                self._gone(queue, submission)
        return valid

    def read(self) -> None:
        """Hear what the others wrote."""
        events, self.unread = self.unread, []
        self.happens(*events)

    def come_back(self) -> None:
        """Be there again, and take what was noted meanwhile."""
        self.away = False
        events, self._unwritten = self._unwritten, []
        self.happens(*events)

    def _refuse_if_away(self) -> None:
        if self.away:
            raise BrokerUnavailableError("the ledger is away")


class FakePublisher:
    """Keeps what is published; holds it back or refuses it where a test says so."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, str, Message]] = []
        self.error: Exception | None = None
        self.refused: str = ""  # the exchange that takes nothing; all of them where it is empty and there is an error
        self.in_time = asyncio.Event()
        self.in_time.set()

    @property
    def as_publisher(self) -> Publisher:
        return cast("Publisher", self)

    async def publish(self, message: Message, *, exchange: str, routing_key: str) -> None:
        await self.in_time.wait()
        if self.error and self.refused in {"", exchange}:
            raise self.error
        self.messages.append((exchange, routing_key, message))

    def begin_to_publish(self, message: Message, *, exchange: str, routing_key: str) -> asyncio.Future[None]:
        return asyncio.ensure_future(self.publish(message, exchange=exchange, routing_key=routing_key))

    async def publish_copy(
        self, message: Message, *, exchange: str, routing_key: str, held: Callable[[], bool] = lambda: True
    ) -> None:
        assert held()
        await self.publish(message, exchange=exchange, routing_key=routing_key)

    def to(self, exchange: str, routing_key: str) -> list[Message]:
        """What was published there."""
        return [message for *where, message in self.messages if where == [exchange, routing_key]]

    @property
    def results(self) -> list[tuple[str | None, bytes, int, object]]:
        """The results: submission, reply, amendment, sealed return address."""
        return [
            (message.correlation_id, message.body, _amendment(message), message.headers[RETURN_HEADER])
            for message in self.to(CHECKED_EXCHANGE, CHECKED_QUEUE)
        ]

    @property
    def bodies(self) -> list[tuple[bytes, int]]:
        """The replies, each with its amendment."""
        return [(body, amendment) for _, body, amendment, _ in self.results]

    @property
    def parked(self) -> list[Message]:
        """The submissions that were parked."""
        return self.to(PARKED_EXCHANGE, SUBMISSIONS_PARKED)


def _amendment(message: Message) -> int:
    amendment = message.headers.get(AMENDMENT_HEADER, 0)
    assert isinstance(amendment, int)
    return amendment


@dataclass
class FakeChannel:
    """Notes what would be sent to the broker."""

    sent: list[tuple[str, int]] = field(default_factory=list)

    is_closed: bool = False

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        self.sent.append(("ack", tag))

    def give_back(self, tag: int, *, multiple: bool = False) -> None:
        self.sent.append(("requeue", tag))

    def reject(self, tag: int) -> None:
        self.sent.append(("park", tag))


class Scene:
    """The course queue `openedx`; submissions are called by their numbers, and so are deliveries, by their tags."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.off = 0.0  # how far the machine's clock is from that
        self.ledger = FakeLedger()
        self.ledger.now = self.now
        self.publisher = FakePublisher()
        self.sealer = Sealer(["0123456789abcdef" * 2])
        self.parking = Parking(
            self.publisher.as_publisher,
            self.sealer,
            FAILURE,
            ledger=self.ledger.as_ledger,
            grace_of=lambda _: 0.0,
            standing=self.ledger.state.standing,
            clock=lambda: self.now + self.off,
            steady=lambda: self.now,
        )
        self.queue = CourseQueue(
            QUEUE,
            link=Link("amqp://nowhere", "no link"),
            ledger=self.ledger.as_ledger,
            sealer=self.sealer,
            parking=self.parking,
            returns=Returns(lambda: self.now),
            pauses=Pauses(Link("amqp://nowhere", "no link"), paused_queue),
            processing_delay=DELAY,
            max_attempts=MAX_ATTEMPTS,
            clock=lambda: self.now + self.off,
            steady=lambda: self.now,
        )
        self.queue._consumer._tag = "consumer"  # or polls would wait for one to begin
        self.ledger.on_gone(lambda queue, submission: self.queue.held.gone(submission))
        self.channel = FakeChannel()
        self.tag = 0

    def deliver(
        self,
        number: int,
        channel: FakeChannel | None = None,
        *,
        url: str = URL,
        redriven: int = 0,
        attempt: int = 1,
        untold: bool = False,
        **spoilt: Any,
    ) -> int:
        """Let a submission arrive from the broker; return its delivery tag."""
        uuid = uuid_of(number).hex()
        header = json.dumps({"lms_callback_url": url, "lms_key": "key", "queue_name": QUEUE})
        sealed = self.sealer.seal(ReturnAddress(uuid, header))
        submission = Submission(
            uuid, QUEUE, f"work {number}", sealed, attempt=attempt, redriven=redriven, untold=untold
        )
        message = encode_submission(submission)
        self.tag += 1
        values: dict[str, Any] = {
            "body": message.body,
            "correlation_id": message.correlation_id,
            "headers": dict(message.headers),
            "channel": channel or self.channel,
            "consumer_tag": "consumer",
            "delivery_tag": self.tag,
        }
        self.queue.held.received(Arrival(**values | spoilt))
        return self.tag

    async def poll(self) -> Handout:
        [handout] = await self.queue.take()
        return handout

    async def sent(self) -> list[tuple[str, int]]:
        """What went to the broker up to now."""
        await turns(2)
        return self.channel.sent

    def hears(self, event: AnyEvent) -> None:
        """Let the gateway read what another one has written just now."""
        self.ledger.now = self.now
        self.ledger.happens(event)

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and the watch over the leases look."""
        self.now += seconds
        self.ledger.now = self.now
        for lease in self.ledger.state.run_out(self.now):
            self.queue.held.ran_out(lease)

    def let_run_out(self) -> None:
        self.pass_time(DELAY)


async def turns(number: int = 5) -> None:
    """Let whoever can go on do so."""
    for _ in range(number):
        await asyncio.sleep(0)
