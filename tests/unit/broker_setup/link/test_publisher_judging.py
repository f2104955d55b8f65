"""Whom a publisher refuses: a silent queue's publishers at once, all of them only where the connection is silent."""

import asyncio
from collections import Counter, defaultdict
from typing import Any

import pytest

from broker_setup.amqp.confirms import Confirm
from broker_setup.amqp.errors import ChannelClosedError, ConnectionLostError
from broker_setup.amqp.messages import Message
from broker_setup.errors import BrokerUnavailableError
from broker_setup.link import publisher as module
from broker_setup.link import pulse as pulse_module
from broker_setup.link.publisher import Publisher
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time runs some ten times faster."""
    monkeypatch.setattr(module, "DOUBT_SECONDS", 0.1)
    monkeypatch.setattr(module, "CONFIRM_TIMEOUT_SECONDS", 0.3)
    monkeypatch.setattr(
        module, "LOST_SECONDS", 60.0
    )  # whoever wants to see that says so: a slow machine is silent, too
    monkeypatch.setattr(pulse_module, "ANSWER_SECONDS", 0.15)
    monkeypatch.setattr(pulse_module, "STUCK_SECONDS", 2.0)


class Channel:
    """Confirms at once what goes to a queue that answers, and counts what it was given."""

    def __init__(self, broker: "Broker") -> None:
        self.broker = broker
        self.on_closed: set[Any] = set()
        self._confirms: list[Confirm] = []

    def publish(self, message: Message, *, routing_key: str, **_: object) -> Confirm:
        self.broker.sent[routing_key] += 1
        confirm = Confirm(message.message_id)
        self._confirms.append(confirm)
        if routing_key in self.broker.slow:
            self.broker.late[routing_key].append(confirm)
        elif routing_key not in self.broker.silent and not self.broker.frozen:
            asyncio.get_running_loop().call_soon(confirm.end)
        return confirm

    async def close(self) -> None:
        error = ChannelClosedError("the channel was closed")
        for confirm in self._confirms:
            if not confirm.done:
                confirm.end(error)
        for callback in list(self.on_closed):
            callback(self, error)


class Broker:
    """A link with a broker behind it, some of whose queues are silent."""

    user = "us"

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.slow: set[str] = set()  # confirmed late, by `store`
        self.late: defaultdict[str, list[Confirm]] = defaultdict(list)
        self.frozen = False
        self.is_blocked = False
        self.opened = 1
        self.is_up = True
        self.sent: Counter[str] = Counter()
        self.dropped: list[str] = []

    async def channel(self) -> Channel:
        if self.frozen:
            await asyncio.Event().wait()
        return Channel(self)

    def store(self, key: str) -> None:
        for confirm in self.late.pop(key):
            confirm.end()

    def drop(self, why: str) -> None:
        self.dropped.append(why)
        self.frozen = False
        self.opened += 1


def pair() -> tuple[Broker, Publisher]:
    broker = Broker()
    link: Any = broker
    return broker, Publisher(link)


async def publish(publisher: Publisher, key: str) -> None:
    await publisher.publish(Message(b""), exchange="exchange", routing_key=key)


async def test_beside_a_silent_queue_every_other_publish_of_a_quiet_process_is_taken() -> None:
    broker, publisher = pair()
    broker.silent.add("silent")
    with pytest.raises(BrokerUnavailableError, match="did not confirm in time"):
        await publish(publisher, "silent")
    for _ in range(20):
        with pytest.raises(BrokerUnavailableError, match="confirms nothing for 'silent'"):
            await publish(publisher, "silent")
        await publish(publisher, "other")
        await asyncio.sleep(0.05)  # nothing else is confirmed meanwhile
    assert broker.sent["silent"] == 1, "nobody waits for what is known to be in vain"
    assert publisher.problem == ""
    assert broker.dropped == []


async def test_a_silent_queue_is_tried_again_on_another_channel_and_heals_without_a_confirm_of_what_is_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOST_SECONDS", 1.5)
    broker, publisher = pair()
    broker.silent.add("silent")
    with pytest.raises(BrokerUnavailableError):
        await publish(publisher, "silent")
    broker.silent.clear()  # its new leader knows nothing of what the old one had

    async def is_taken() -> bool:
        try:
            await publish(publisher, "silent")
        except BrokerUnavailableError:
            return False
        return True

    await eventually(is_taken)
    assert broker.dropped == []
    await eventually(lambda: not publisher._under_way)


async def test_a_flood_to_a_queue_that_fell_silent_is_refused_before_it_stops_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "DOUBTFUL_SECONDS", 0.0)
    broker, publisher = pair()
    broker.silent.add("silent")

    async def flood() -> None:
        for _ in range(1_000):
            await asyncio.sleep(0)
            flooding.append(asyncio.create_task(publish(publisher, "silent")))

    flooding: list[asyncio.Task[None]] = [asyncio.create_task(publish(publisher, "silent"))]
    await eventually(lambda: publisher._pulse.answered_at > 0)
    await flood()
    outcomes = await asyncio.gather(*flooding, return_exceptions=True)
    assert all(isinstance(outcome, BrokerUnavailableError) for outcome in outcomes)
    assert broker.sent["silent"] <= module.MAX_DOUBTFUL + 2


async def test_a_connection_that_is_silent_refuses_all_and_is_dropped_once() -> None:
    broker, publisher = pair()
    await publish(publisher, "other")
    broker.frozen = True
    with pytest.raises(BrokerUnavailableError, match="did not confirm in time"):
        await publish(publisher, "one")
    await eventually(lambda: publisher.problem)
    for key in ("one", "other"):
        with pytest.raises(BrokerUnavailableError, match="does not answer on the connection"):
            await publish(publisher, key)
    await eventually(lambda: broker.dropped)
    # What was under way on the old connection does not count against the new one.
    assert publisher._under_way
    for _ in range(5):
        await publish(publisher, "one")
        await publish(publisher, "other")
    assert len(broker.dropped) == 1
    assert publisher.problem == ""


async def test_a_broker_that_says_that_it_is_blocked_is_believed_and_its_connection_kept() -> None:
    broker, publisher = pair()
    broker.frozen = broker.is_blocked = True
    with pytest.raises(BrokerUnavailableError):
        await publish(publisher, "one")
    await eventually(lambda: "memory or disk" in publisher.problem)
    await asyncio.sleep(pulse_module.STUCK_SECONDS)
    assert broker.dropped == []
    with pytest.raises(BrokerUnavailableError, match="memory or disk"):
        await publish(publisher, "other")


async def test_a_connection_that_goes_while_it_is_looked_at_is_not_held_against_the_next() -> None:
    broker, publisher = pair()
    broker.frozen = True
    with pytest.raises(BrokerUnavailableError):
        await publish(publisher, "one")
    broker.frozen, broker.opened = False, 2
    await eventually(lambda: not publisher.problem)
    await publish(publisher, "one")
    assert broker.dropped == []


async def test_only_a_channel_that_the_broker_closed_is_an_error_and_it_says_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    broker, publisher = pair()
    await publish(publisher, "key")
    channel: Any = Channel(broker)
    publisher._on_channel_closed(channel, ChannelClosedError("the channel was closed"))
    publisher._on_channel_closed(channel, ConnectionLostError("the broker ended the connection"))
    assert "closed" not in caplog.text
    publisher._on_channel_closed(channel, ChannelClosedError("NOT_FOUND - no exchange 'x' in vhost '/'", 404))
    [record] = caplog.records
    assert record.getMessage() == (
        "the broker closed the publishing channel: NOT_FOUND - no exchange 'x' in vhost '/': "
        "`xqueue-broker declare` makes what is missing"
    )


async def test_a_copy_waits_for_a_confirm_that_is_late_and_is_sent_once_however_many_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(module, "LOST_SECONDS", 1.0)
    broker, publisher = pair()
    broker.slow.add("parked")

    async def park() -> None:
        await publisher.publish_copy(Message(b""), exchange="exchange", routing_key="parked")

    parking = [asyncio.create_task(park()) for _ in range(36)]
    # Long after the queue counts as silent, and as one to be tried on another channel.
    await asyncio.sleep(2 * module.LOST_SECONDS)
    with pytest.raises(BrokerUnavailableError):
        await publish(publisher, "parked")
    assert not any(task.done() for task in parking), "it may be stored: to give it back now would make two of it"
    broker.store("parked")
    await asyncio.gather(*parking)
    assert broker.sent["parked"] <= 36 + 1


async def test_a_copy_is_not_sent_when_its_delivery_went_back_while_the_queue_was_silent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.02)
    broker, publisher = pair()
    broker.silent.add("parked")
    with pytest.raises(BrokerUnavailableError):
        await publish(publisher, "parked")
    held = [True]
    parking = asyncio.create_task(
        publisher.publish_copy(Message(b""), exchange="exchange", routing_key="parked", held=lambda: held[0])
    )
    await asyncio.sleep(0.1)
    held.clear()
    held.append(False)
    with pytest.raises(BrokerUnavailableError, match="its delivery is void"):
        await parking
    assert broker.sent["parked"] == 1


async def test_a_copy_whose_confirm_was_lost_with_a_leader_ends_with_its_channel(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.2)
    broker, publisher = pair()
    broker.slow.add("parked")
    lost = asyncio.create_task(publisher.publish_copy(Message(b""), exchange="exchange", routing_key="parked"))
    await eventually(lambda: bool(broker.sent["parked"]))
    broker.slow.clear()  # its new leader knows nothing of it
    await publisher.publish_copy(Message(b""), exchange="exchange", routing_key="parked")
    with pytest.raises(BrokerUnavailableError, match="was lost before it confirmed"):
        await asyncio.wait_for(lost, 30)
