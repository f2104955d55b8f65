"""The ledger as a gateway uses it: who records an event hears what became of it, in the ledger's order."""

import asyncio
from typing import Any

import pytest

from broker_setup.amqp.messages import Message
from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger import ledger as module
from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.frames import Frame, decode_frame, new_frame_id
from broker_setup.ledger.ledger import Ledger
from broker_setup.ledger.state import LedgerState
from broker_setup.link.connection import Link
from tests.support.leasing import turns
from tests.support.ledger_events import graded, leased, submitted, uuid_of
from tests.support.waiting import eventually


class FakeStream:
    """Keeps the frames that are published; each is confirmed, refused and read when a test says so."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._confirms: list[asyncio.Future[None]] = []

    async def publish(self, message: Message, *, exchange: str, routing_key: str) -> None:
        self.frames.append(decode_frame(message.body))
        self._confirms.append(asyncio.get_running_loop().create_future())
        await self._confirms[-1]

    def begin_to_publish(self, message: Message, *, exchange: str, routing_key: str) -> asyncio.Future[None]:
        return asyncio.ensure_future(self.publish(message, exchange=exchange, routing_key=routing_key))

    async def written(self, frames: int = 1) -> None:
        """Return when that many frames have come: how long one waits for company is its writer's business."""
        await eventually(lambda: len(self.frames) >= frames)

    def confirm(self) -> None:
        self._confirms[-1].set_result(None)

    def refuse(self) -> None:
        self._confirms[-1].set_exception(BrokerUnavailableError("the broker refused to store the message"))


class Desk:
    """A ledger whose frames are read when a test says so."""

    def __init__(self) -> None:
        self.stream = FakeStream()
        publisher: Any = self.stream
        self.state = LedgerState()
        self.ledger = Ledger(
            link=Link("amqp://nowhere", "no link"),
            publisher=publisher,
            state=self.state,
            window=60.0,
            name="gateway 1",
        )

    async def record(self, *events: AnyEvent) -> list[asyncio.Task[bool]]:
        """Begin to record events, so that they stand in one frame, and return when that is written."""
        frames = len(self.stream.frames)
        recording = [asyncio.create_task(self.ledger.record(event)) for event in events]
        await self.stream.written(frames + 1)
        return recording

    def read(self, *frames: Frame) -> None:
        for frame in frames:
            self.ledger._apply(frame)

    def read_others(self, *events: AnyEvent) -> None:
        self.read(Frame(new_frame_id(), "gateway 2", events))


async def test_who_records_hears_of_it_when_his_event_is_read_and_not_when_it_is_confirmed() -> None:
    desk = Desk()
    [recording] = await desk.record(leased(1, 0, "k"))
    desk.stream.confirm()
    await turns()
    assert not recording.done()
    assert desk.state.standing(uuid_of(1), 1) is Standing.FREE
    desk.read(*desk.stream.frames)
    assert await recording
    assert desk.state.standing(uuid_of(1), 1) is Standing.LEASED


async def test_an_event_may_be_read_before_its_confirm_comes() -> None:
    desk = Desk()
    [recording] = await desk.record(leased(1, 0, "k"))
    desk.read(*desk.stream.frames)
    assert await recording
    desk.stream.confirm()
    await turns()


async def test_what_others_wrote_before_it_makes_an_event_void() -> None:
    desk = Desk()
    [recording] = await desk.record(leased(1, 0, "mine"))
    desk.read_others(leased(1, 0, "theirs"))
    desk.read(*desk.stream.frames)
    assert not await recording


async def test_what_others_wrote_after_it_does_not() -> None:
    desk = Desk()
    [recording] = await desk.record(leased(1, 0, "mine"))
    desk.read(*desk.stream.frames)
    desk.read_others(leased(1, 0, "theirs"))
    assert await recording
    lease = desk.state.lease_of(uuid_of(1))
    assert lease
    assert lease.key == leased(1, 0, "mine").key


async def test_each_event_of_a_frame_has_an_outcome_of_its_own() -> None:
    desk = Desk()
    recording = await desk.record(leased(1, 0, "a"), leased(1, 0, "b"), leased(2, 0, "c"), graded(1, 1, "a"))
    assert [len(frame.events) for frame in desk.stream.frames] == [4]
    desk.read(*desk.stream.frames)
    assert await asyncio.gather(*recording) == [True, False, True, True]


async def test_all_whose_frame_was_refused_hear_of_it_and_the_next_frame_is_good() -> None:
    desk = Desk()
    recording = await desk.record(leased(1, 0, "a"))
    desk.stream.refuse()
    for outcome in await asyncio.gather(*recording, return_exceptions=True):
        assert isinstance(outcome, BrokerUnavailableError)
        assert "the ledger could not be written" in str(outcome)
    assert desk.ledger._recording == {}
    [again] = await desk.record(leased(1, 0, "b"))
    desk.stream.confirm()
    desk.read(desk.stream.frames[-1])
    assert await again


async def test_a_frame_that_was_refused_and_stored_all_the_same_counts() -> None:
    desk = Desk()
    [recording] = await desk.record(leased(1, 0, "a"))
    desk.stream.refuse()
    with pytest.raises(BrokerUnavailableError):
        await recording
    desk.read(*desk.stream.frames)
    assert desk.state.standing(uuid_of(1), 1) is Standing.LEASED


async def test_who_waits_for_a_ledger_that_is_not_read_is_told_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECORD_SECONDS", 0.05)
    desk = Desk()
    [recording] = await desk.record(leased(1, 0, "a"))
    desk.stream.confirm()
    with pytest.raises(BrokerUnavailableError, match="not being read"):
        await recording
    # It turns up later, and counts.
    desk.read(*desk.stream.frames)
    assert desk.state.standing(uuid_of(1), 1) is Standing.LEASED
    assert desk.ledger._recording == {}


async def test_who_gives_up_waiting_spoils_nobody_elses_outcome() -> None:
    desk = Desk()
    impatient, patient = await desk.record(leased(1, 0, "a"), leased(2, 0, "b"))
    impatient.cancel()
    await asyncio.wait({impatient})
    desk.read(*desk.stream.frames)
    assert await patient
    assert desk.state.standing(uuid_of(1), 1) is Standing.LEASED


async def test_a_ledger_that_is_not_up_to_date_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RECORD_SECONDS", 0.05)
    desk = Desk()
    assert desk.ledger.problem == "the ledger is being replayed"
    with pytest.raises(BrokerUnavailableError, match="the ledger is being replayed"):
        await desk.ledger.wait_up_to_date()


async def test_a_note_is_written_and_nobody_waits_for_it() -> None:
    desk = Desk()
    running = asyncio.create_task(desk.ledger.write_notes())
    desk.ledger.note(submitted(1, 0))
    await desk.stream.written()
    assert [list(frame.events) for frame in desk.stream.frames] == [[submitted(1, 0)]]
    running.cancel()
    await asyncio.wait({running})


async def test_what_was_noted_last_is_written_at_the_end() -> None:
    desk = Desk()
    desk.ledger.note(submitted(1, 0))
    flushing = asyncio.create_task(desk.ledger.flush())
    await desk.stream.written()
    desk.stream.confirm()
    await flushing
    assert [list(frame.events) for frame in desk.stream.frames] == [[submitted(1, 0)]]


async def test_who_holds_deliveries_hears_of_each_that_is_gone_when_all_of_its_frame_counts() -> None:
    desk = Desk()
    gone: list[tuple[str, bytes, Standing]] = []
    desk.ledger.on_gone(
        lambda queue, submission: gone.append((queue, submission, desk.state.standing(uuid_of(3), 99))),
    )
    desk.read_others(
        submitted(1, 0, url="a"),
        submitted(2, 0, url="b", queue="other"),
        submitted(4, 9, url="a"),
        graded(2, 9, "k", url="b", queue="other"),
        graded(3, 9, "k", url="c"),
    )
    assert gone == [
        ("openedx", uuid_of(1), Standing.CLOSED),
        ("other", uuid_of(2), Standing.CLOSED),
        ("openedx", uuid_of(3), Standing.CLOSED),
    ]


async def test_before_anybody_listens_what_is_gone_disturbs_nobody() -> None:
    desk = Desk()
    desk.read_others(graded(1, 0, "k"))
    assert desk.state.standing(uuid_of(1), 1) is Standing.CLOSED
