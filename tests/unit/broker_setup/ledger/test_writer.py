"""Group commit: one frame under way, the next one collecting, and everybody told what became of his own."""

import asyncio
import logging
import time

import pytest

from broker_setup.amqp.messages import Message
from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger import writer as writer_module
from broker_setup.ledger.events import Parked
from broker_setup.ledger.frames import Frame, decode_frame
from broker_setup.ledger.writer import MAX_EVENTS, MAX_WAITING, LedgerWriter
from broker_setup.topology import LEDGER, LEDGER_EXCHANGE
from tests.support.ledger_events import expired, leased

EVENTS = [expired(number, 0, "k") for number in range(3 * MAX_EVENTS)]


class FakePublisher:
    """Holds each publish until the test says how it ends."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self.under_way = 0
        self.most_under_way = 0
        self._ends: asyncio.Queue[BaseException | None] = asyncio.Queue()

    async def publish(self, message: Message, *, exchange: str, routing_key: str) -> None:
        assert (exchange, routing_key) == (LEDGER_EXCHANGE, LEDGER)
        self.frames.append(decode_frame(message.body))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            error = await self._ends.get()
        finally:
            self.under_way -= 1
        if error:
            raise error

    def begin_to_publish(self, message: Message, *, exchange: str, routing_key: str) -> asyncio.Future[None]:
        return asyncio.ensure_future(self.publish(message, exchange=exchange, routing_key=routing_key))

    def confirm(self, frames: int = 1) -> None:
        for _ in range(frames):
            self._ends.put_nowait(None)

    def fail(self, error: BaseException) -> None:
        self._ends.put_nowait(error)


@pytest.fixture(autouse=True)
def _no_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is next follows at once, so that a test only waits for what it is about."""
    monkeypatch.setattr(writer_module, "PACE_SECONDS", 0.0)


@pytest.fixture
def publisher() -> FakePublisher:
    return FakePublisher()


@pytest.fixture
def writer(publisher: FakePublisher) -> LedgerWriter:
    return LedgerWriter(publisher, "gateway 1")  # type: ignore[arg-type]


async def turns(number: int = 5) -> None:
    """Let whoever can go on do so."""
    for _ in range(number):
        await asyncio.sleep(0)


async def test_an_event_that_comes_alone_is_written_at_once(writer: LedgerWriter, publisher: FakePublisher) -> None:
    appended = writer.append(EVENTS[0])
    await turns()
    [frame] = publisher.frames
    assert (frame.id, frame.writer, frame.events, appended.index) == (appended.frame, "gateway 1", [EVENTS[0]], 0)
    assert not appended.confirmed.done()
    publisher.confirm()
    await appended.confirmed


async def test_while_one_frame_is_under_way_the_next_one_collects(
    writer: LedgerWriter, publisher: FakePublisher
) -> None:
    first = writer.append(EVENTS[0])
    await turns()
    later = [writer.append(event) for event in EVENTS[1:50]]
    await turns()
    assert len(publisher.frames) == 1
    publisher.confirm(2)
    await asyncio.gather(first.confirmed, *(appended.confirmed for appended in later))
    assert [len(frame.events) for frame in publisher.frames] == [1, 49]
    assert publisher.most_under_way == 1


async def test_the_ledger_has_the_events_in_the_order_in_which_they_were_given(
    writer: LedgerWriter, publisher: FakePublisher
) -> None:
    appended = []
    for number, event in enumerate(EVENTS):
        appended.append(writer.append(event))
        if number % 700 == 0:
            await turns()
    publisher.confirm(100)
    await asyncio.gather(*(each.confirmed for each in appended))
    assert [event for frame in publisher.frames for event in frame.events] == EVENTS
    frames = {frame.id: frame for frame in publisher.frames}
    assert [frames[each.frame].events[each.index] for each in appended] == EVENTS


async def test_no_frame_has_more_than_a_thousand_events(writer: LedgerWriter, publisher: FakePublisher) -> None:
    appended = [writer.append(event) for event in EVENTS[: 2 * MAX_EVENTS + 1]]
    publisher.confirm(3)
    await asyncio.gather(*(each.confirmed for each in appended))
    assert [len(frame.events) for frame in publisher.frames] == [MAX_EVENTS, MAX_EVENTS, 1]


async def test_no_frame_is_larger_than_a_broker_takes(
    writer: LedgerWriter, publisher: FakePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "MAX_BYTES", 25)  # a lease of these tests has 8 sealed characters
    appended = [writer.append(leased(number, 0, "k")) for number in range(7)]
    publisher.confirm(3)
    await asyncio.gather(*(each.confirmed for each in appended))
    assert [len(frame.events) for frame in publisher.frames] == [3, 3, 1]


async def test_events_given_together_stay_together(writer: LedgerWriter, publisher: FakePublisher) -> None:
    writer.append(EVENTS[0])
    await turns()
    writer.append(*EVENTS[: MAX_EVENTS - 1])
    together = writer.append(*EVENTS[:2])
    publisher.confirm(3)
    await together.confirmed
    assert publisher.frames[-1].id == together.frame
    assert publisher.frames[-1].events == EVENTS[:2]


async def test_a_marker_is_a_frame_of_its_own_or_shares_the_one_that_collects(
    writer: LedgerWriter, publisher: FakePublisher
) -> None:
    alone = writer.append()
    await turns()
    assert publisher.frames[0].id == alone.frame
    assert publisher.frames[0].events == []
    event, shared = writer.append(EVENTS[0]), writer.append()
    assert shared.frame == event.frame
    publisher.confirm(2)
    await shared.confirmed


async def test_a_failure_reaches_all_of_its_frame_and_only_those(
    writer: LedgerWriter, publisher: FakePublisher
) -> None:
    before = writer.append(EVENTS[0])
    await turns()
    failing = [writer.append(event) for event in EVENTS[1:4]]
    publisher.confirm()
    await before.confirmed
    await turns()
    after = [writer.append(event) for event in EVENTS[4:7]]
    publisher.fail(BrokerUnavailableError("the broker is away"))
    publisher.confirm()
    outcomes = await asyncio.gather(*(each.confirmed for each in failing), return_exceptions=True)
    assert all(isinstance(outcome, BrokerUnavailableError) for outcome in outcomes)
    assert "the broker is away" in str(outcomes[0])
    await asyncio.gather(*(each.confirmed for each in after))


async def test_a_failure_that_nobody_asks_for_is_no_warning(writer: LedgerWriter, publisher: FakePublisher) -> None:
    writer.append(EVENTS[0])
    publisher.fail(BrokerUnavailableError("the broker is away"))
    await turns()
    last = writer.append(EVENTS[1])
    publisher.confirm()
    await last.confirmed


async def test_an_event_that_can_not_be_encoded_does_not_stop_those_that_follow(
    writer: LedgerWriter, publisher: FakePublisher, caplog: pytest.LogCaptureFixture
) -> None:
    bad = Parked(0, b"s", "openedx", b"u", "half a character: \ud800")
    with caplog.at_level(logging.ERROR):
        broken = writer.append(bad)
        with pytest.raises(BrokerUnavailableError, match="could not be written"):
            await broken.confirmed
    assert "could not be written" in caplog.text
    good = writer.append(EVENTS[0])
    publisher.confirm()
    await good.confirmed


async def test_whoever_gives_up_waiting_does_not_stop_the_others(
    writer: LedgerWriter, publisher: FakePublisher
) -> None:
    impatient = writer.append(EVENTS[0])
    await turns()
    impatient.confirmed.cancel()
    publisher.confirm(2)
    await turns()
    await writer.append(EVENTS[1]).confirmed


async def test_what_waits_is_bounded_and_more_is_refused_until_there_is_room(
    writer: LedgerWriter, publisher: FakePublisher
) -> None:
    appended = [writer.append(*EVENTS[:MAX_EVENTS]) for _ in range(MAX_WAITING // MAX_EVENTS + 1)]
    with pytest.raises(BrokerUnavailableError, match="takes nothing"):
        writer.append(EVENTS[0])
    publisher.confirm(len(appended) + 1)
    await asyncio.gather(*(each.confirmed for each in appended))
    await writer.append(EVENTS[0]).confirmed


async def test_a_writer_that_was_idle_writes_again(writer: LedgerWriter, publisher: FakePublisher) -> None:
    for event in EVENTS[:3]:
        publisher.confirm()
        await writer.append(event).confirmed
    assert [len(frame.events) for frame in publisher.frames] == [1, 1, 1]


async def test_frames_keep_their_distance(
    writer: LedgerWriter, publisher: FakePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "PACE_SECONDS", 0.2)
    publisher.confirm(2)
    await writer.append(EVENTS[0]).confirmed
    began = time.monotonic()
    await writer.append(EVENTS[1]).confirmed
    assert 0.1 < time.monotonic() - began < 5


async def test_what_is_to_be_stored_is_when_the_broker_has_it(writer: LedgerWriter, publisher: FakePublisher) -> None:
    storing = asyncio.create_task(writer.store(EVENTS[0]))
    await turns()
    assert not storing.done()
    publisher.confirm()
    await storing
    assert [frame.events for frame in publisher.frames] == [[EVENTS[0]]]


async def test_whoever_stores_hears_that_the_broker_did_not_take_it(
    writer: LedgerWriter, publisher: FakePublisher
) -> None:
    publisher.fail(BrokerUnavailableError("away"))
    with pytest.raises(BrokerUnavailableError, match="away"):
        await writer.store(EVENTS[0])


async def test_whoever_stores_waits_for_a_while_and_takes_nothing_from_the_others_of_its_frame(
    writer: LedgerWriter, publisher: FakePublisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer_module, "STORE_SECONDS", 0.05)
    appended = writer.append(EVENTS[0])
    with pytest.raises(BrokerUnavailableError, match="in time"):
        await writer.store(EVENTS[1])
    publisher.confirm()
    await appended.confirmed


async def test_storing_nothing_says_whether_the_ledger_can_be_written(
    writer: LedgerWriter, publisher: FakePublisher
) -> None:
    publisher.confirm()
    await writer.store()
    publisher.fail(BrokerUnavailableError("away"))
    with pytest.raises(BrokerUnavailableError, match="away"):
        await writer.store()
