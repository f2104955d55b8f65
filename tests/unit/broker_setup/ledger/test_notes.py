"""Notes: what nobody waits for is written all the same, in order, and again where it could not be."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger import notes as notes_module
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.notes import Notes
from broker_setup.ledger.writer import Appended
from tests.support.leasing import turns
from tests.support.ledger_events import expired, graded, released, submitted, superseded
from tests.support.waiting import eventually

EVENTS = [expired(number, 0, "k") for number in range(1200)]


class FakeWriter:
    """Takes what is appended, unless it is away."""

    def __init__(self) -> None:
        self.frames: list[list[AnyEvent]] = []
        self.away = False

    def append(self, *events: AnyEvent) -> Appended:
        confirmed = asyncio.get_running_loop().create_future()
        if self.away:
            confirmed.set_exception(BrokerUnavailableError("away"))
        else:
            self.frames.append(list(events))
            confirmed.set_result(None)
        return Appended(b"frame", 0, confirmed)

    @property
    def written(self) -> list[AnyEvent]:
        return [event for frame in self.frames for event in frame]


@pytest.fixture
def writer() -> FakeWriter:
    return FakeWriter()


@pytest.fixture
async def notes(writer: FakeWriter, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Notes]:
    monkeypatch.setattr(notes_module, "RETRY_SECONDS", 0.01)
    notes = Notes(writer)  # type: ignore[arg-type]
    running = asyncio.create_task(notes.run())
    yield notes
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_what_is_noted_together_shares_a_frame(notes: Notes, writer: FakeWriter) -> None:
    for event in EVENTS[:10]:
        notes.note(event)
    await eventually(lambda: writer.written == EVENTS[:10])
    assert len(writer.frames) == 1


async def test_what_is_noted_while_a_frame_is_written_collects_as_long_as_that_did(
    notes: Notes, writer: FakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    confirmed = asyncio.get_running_loop().create_future()
    with monkeypatch.context() as patched:
        patched.setattr(writer, "append", lambda *events: Appended(b"frame", 0, confirmed))
        notes.note(EVENTS[0])
        await eventually(lambda: not notes._noted)
    monkeypatch.setattr(notes_module, "LINGER_SECONDS", 600.0)
    notes.note(EVENTS[1])
    confirmed.set_result(None)
    await turns(20)
    assert writer.frames == []
    assert list(notes._noted) == [EVENTS[1]]


async def test_what_fills_a_frame_does_not_linger(
    notes: Notes, writer: FakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes_module, "LINGER_SECONDS", 600.0)
    for event in EVENTS[: notes_module.AT_ONCE]:
        notes.note(event)
    await eventually(lambda: writer.written == EVENTS[: notes_module.AT_ONCE])


async def test_what_could_not_be_written_is_written_when_the_ledger_is_back(notes: Notes, writer: FakeWriter) -> None:
    writer.away = True
    for event in EVENTS:
        notes.note(event)
    await asyncio.sleep(0.1)  # several tries in vain
    assert writer.written == []
    writer.away = False
    await eventually(lambda: writer.written == EVENTS)


async def test_a_flush_writes_at_once_what_was_noted(writer: FakeWriter) -> None:
    notes = Notes(writer)  # type: ignore[arg-type]
    notes.note(EVENTS[0])
    await notes.flush()
    assert writer.written == EVENTS[:1]


async def test_a_flush_gives_up_where_the_ledger_is_away(writer: FakeWriter) -> None:
    notes = Notes(writer)  # type: ignore[arg-type]
    notes.note(EVENTS[0])
    writer.away = True
    async with asyncio.timeout(60):
        await notes.flush()
    assert writer.written == []


async def test_memory_is_bounded_while_the_ledger_is_away(
    writer: FakeWriter,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(notes_module, "MAX_NOTED", 5)
    monkeypatch.setattr(notes_module, "MAX_OTHERS", 3)
    notes = Notes(writer)  # type: ignore[arg-type]
    for event in EVENTS[:10]:
        notes.note(event)
    await notes.flush()
    assert writer.written == EVENTS[:8]
    assert "1 events were dropped" in caplog.text


async def test_submits_are_dropped_before_any_end_of_a_lease_or_of_a_submission(
    writer: FakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notes_module, "MAX_NOTED", 3)
    monkeypatch.setattr(notes_module, "MAX_OTHERS", 2)
    notes = Notes(writer)  # type: ignore[arg-type]
    submits: list[AnyEvent] = [submitted(number, 0) for number in range(6)]
    ends: list[AnyEvent] = [
        released(1, 1, "k"),
        graded(2, 1, "k"),
        superseded(3, 1, by=4),
        expired(5, 1, "k"),
        graded(6, 1, "k"),
    ]
    for event in (*submits, *ends):
        notes.note(event)
    await notes.flush()
    assert writer.written == ends


async def test_what_is_written_at_once_says_when_it_is_stored_and_waits_for_no_others(
    notes: Notes, writer: FakeWriter
) -> None:
    stored = notes.write(EVENTS[0])
    assert writer.written == EVENTS[:1]
    await stored


async def test_what_could_not_be_written_at_once_says_so_and_is_written_later(notes: Notes, writer: FakeWriter) -> None:
    writer.away = True
    with pytest.raises(BrokerUnavailableError):
        await notes.write(EVENTS[0])
    writer.away = False
    await eventually(lambda: writer.written == EVENTS[:1])


async def test_what_a_full_writer_does_not_take_is_written_later_too(
    notes: Notes, writer: FakeWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: AnyEvent) -> Appended:
        raise BrokerUnavailableError("the ledger takes nothing at the moment")

    with monkeypatch.context() as patched:
        patched.setattr(writer, "append", full)
        stored = notes.write(EVENTS[0])
    with pytest.raises(BrokerUnavailableError):
        await stored
    await eventually(lambda: writer.written == EVENTS[:1])
