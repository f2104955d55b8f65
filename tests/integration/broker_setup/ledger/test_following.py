"""A process reads all that the ledger holds and then every frame as it is written, once each and in one order."""

import asyncio
import logging
import time
from collections.abc import Sequence

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger import reader as reader_module
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.frames import Frame, encode_frame, new_frame_id
from broker_setup.ledger.reader import LedgerReader
from broker_setup.ledger.writer import LedgerWriter
from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.operator.setup.declare import declare
from broker_setup.topology import LEDGER, topology
from tests.support.broker import VHost
from tests.support.ledger import DAY, follower, pika_channel, write_body, write_frames
from tests.support.ledger_events import expirations, expired
from tests.support.proxy import proxied
from tests.support.stalling import stall
from tests.support.waiting import eventually


def declare_ledger(vhost: VHost) -> None:
    declare(vhost.amqp_url, topology(["openedx"], (1,)))


async def write_alone(url: str, events: Sequence[AnyEvent]) -> None:
    """Write each event in a frame of its own, as many under way at once as a busy machine confirms in time."""
    link = Link(url, "writes")
    async with supervised(link):
        await link.wait_up()
        publisher = Publisher(link)
        messages = [encode_frame(Frame(new_frame_id(), "gateway 1", [event])) for event in events]
        for first in range(0, len(messages), 200):
            some = messages[first : first + 200]
            await asyncio.gather(*(publisher.publish(each, exchange="", routing_key=LEDGER) for each in some))


async def test_what_the_ledger_holds_is_read_first_and_then_what_is_written(declared: VHost) -> None:
    before, after = expirations(0, 3_000), expirations(3_000, 50)
    await asyncio.to_thread(write_frames, declared.amqp_url, [before[:10], before[10:11], before[11:]])
    async with follower(declared.amqp_url) as it:
        await it.reader.wait_up_to_date(60)
        assert it.events == before
        for event in after:
            await it.write(event)
        await eventually(lambda: len(it.events) == 3_050)
        assert it.events == [*before, *after]


async def test_an_empty_ledger_is_up_to_date_at_once(declared: VHost) -> None:
    async with follower(declared.amqp_url) as it:
        with pytest.raises(BrokerUnavailableError, match="being replayed"):
            await it.reader.wait_up_to_date(0)
        await it.reader.wait_up_to_date(60)
        assert it.reader.is_up_to_date
        assert it.reader.problem == ""
        assert it.events == []


async def test_a_barrier_is_passed_when_all_that_was_written_before_it_was_applied(declared: VHost) -> None:
    async with follower(declared.amqp_url) as it, follower(declared.amqp_url, "other") as other:
        await asyncio.gather(it.reader.wait_up_to_date(60), other.reader.wait_up_to_date(60))
        for number in range(50):
            await other.write(expired(number, 0, "k"))
            await it.reader.barrier()
            assert len(it.events) == number + 1
        # Many at once share their markers.
        await other.write(*expirations(50, 10))
        await asyncio.gather(*(it.reader.barrier() for _ in range(200)))
        assert len(it.events) == 60


async def test_writers_and_readers_agree_on_one_order(declared: VHost) -> None:
    async with follower(declared.amqp_url, "one") as one, follower(declared.amqp_url, "two") as two:
        await asyncio.gather(one.reader.wait_up_to_date(60), two.reader.wait_up_to_date(60))

        async def write(writer: LedgerWriter, first: int) -> None:
            for event in expirations(first, 300):
                writer.append(event)
                if event.submission[-1] % 7 == 0:
                    await asyncio.sleep(0.001)
            await writer.append().confirmed

        await asyncio.gather(write(one.writer, 0), write(two.writer, 1_000))
        await asyncio.gather(one.reader.barrier(), two.reader.barrier())
        await asyncio.gather(one.reader.barrier(), two.reader.barrier())
        assert one.events == two.events
        for first in (0, 1_000):
            mine = set(expirations(first, 300))
            assert [event for event in one.events if event in mine] == expirations(first, 300)
        async with follower(declared.amqp_url, "late") as late:
            await late.reader.wait_up_to_date(60)
            assert late.events == one.events


@pytest.mark.usefixtures("_no_hurry")
async def test_an_idle_event_costs_one_round_trip_and_many_share_frames(declared: VHost) -> None:
    async with follower(declared.amqp_url) as it:
        await it.reader.wait_up_to_date(60)
        markers = len(it.frames)
        appended = [it.writer.append(event) for event in expirations(0, 5_000)]
        await asyncio.gather(*(each.confirmed for each in appended))
        await it.reader.barrier()
        assert it.events == expirations(0, 5_000)
        assert len(it.frames) - markers < 20


async def test_what_is_older_than_the_window_is_not_read(declared: VHost) -> None:
    await asyncio.to_thread(write_frames, declared.amqp_url, [expirations(0, 5)])
    # Timestamps are matched to a chunk, which RabbitMQ ends when it has written it out.
    wrote = time.time()
    await eventually(lambda: time.time() - wrote > 3)
    await asyncio.to_thread(write_frames, declared.amqp_url, [expirations(5, 5)])
    async with follower(declared.amqp_url, window=2) as it:
        await it.reader.wait_up_to_date(60)
        assert it.events == expirations(5, 5)
    async with follower(declared.amqp_url, window=DAY) as it:
        await it.reader.wait_up_to_date(60)
        assert it.events == expirations(0, 10)


async def test_a_frame_that_can_not_be_read_is_passed_over_in_replay_and_afterwards(
    declared: VHost, caplog: pytest.LogCaptureFixture
) -> None:
    await asyncio.to_thread(write_frames, declared.amqp_url, [expirations(0, 1)])
    with pika_channel(declared.amqp_url) as channel:
        write_body(channel, b"no frame")
        async with follower(declared.amqp_url) as it:
            await it.reader.wait_up_to_date(60)
            await it.write(*expirations(1, 1))
            with caplog.at_level(logging.WARNING):
                write_body(channel, b"no frame either")
                await it.write(*expirations(2, 1))
                await it.reader.barrier()
            assert it.events == expirations(0, 3)
            assert it.reader.is_up_to_date
    assert [record for record in caplog.records if "skipping a frame" in record.getMessage()]


async def test_an_event_that_can_not_be_applied_does_not_stop_the_reading(
    declared: VHost, caplog: pytest.LogCaptureFixture
) -> None:
    link, sink = Link(declared.amqp_url, "reads"), Link(declared.amqp_url, "writes")
    writer = LedgerWriter(Publisher(sink), "gateway 1")
    applied = []

    def apply(frame: object) -> None:
        applied.append(frame)
        raise ZeroDivisionError

    reader = LedgerReader(link=link, writer=writer, apply=apply, window=DAY)
    with caplog.at_level(logging.CRITICAL):
        async with supervised(link, sink):
            running = asyncio.create_task(reader.run())
            await reader.wait_up_to_date(60)
            await reader.barrier()
            running.cancel()
            await asyncio.wait({running})
    assert len(applied) >= 2


# When the connection goes.


async def test_a_connection_that_is_cut_loses_no_frame_and_repeats_none(declared: VHost) -> None:
    async with (
        proxied(declared.amqp_url) as proxy,
        follower(declared.amqp_url, read_by=proxy.url) as it,
        asyncio.timeout(60),
    ):
        await it.reader.wait_up_to_date(60)
        number = 0
        for _ in range(4):
            await it.write(*expirations(number, 10))
            await proxy.close()
            await eventually(lambda: not it.reader.is_up_to_date)
            await it.write(*expirations(number + 10, 10))
            await proxy.open()
            number += 20
            await it.catch_up()
            assert it.events == expirations(0, number)


@pytest.mark.usefixtures("_no_hurry")
async def test_a_frozen_reader_that_finds_more_than_it_can_read_at_once_goes_on_from_where_it_stood(
    declared: VHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader_module, "MARKER_SECONDS", 0.4)  # what waits takes longer than that
    async with proxied(declared.amqp_url) as proxy, follower(declared.amqp_url, read_by=proxy.url, pause=0.001) as it:
        await it.reader.wait_up_to_date(60)
        await it.write(*expirations(0, 10))
        await eventually(lambda: len(it.events) == 10)
        await proxy.close()
        await eventually(lambda: not it.reader.is_up_to_date)
        await write_alone(declared.amqp_url, expirations(10, 3_000))
        await proxy.open()
        await it.reader.wait_up_to_date(60)
        assert it.events == expirations(0, 3_010)


async def test_a_reader_without_a_broker_says_so_and_begins_when_there_is_one(declared: VHost) -> None:
    async with proxied(declared.amqp_url) as proxy:
        await proxy.close()
        async with follower(declared.amqp_url, read_by=proxy.url) as it:
            with pytest.raises(BrokerUnavailableError):
                await it.reader.wait_up_to_date(0.2)
            await proxy.open()
            await it.reader.wait_up_to_date(60)


async def test_cancelled_in_the_middle_of_a_replay_it_leaves_nothing_behind(declared: VHost) -> None:
    await asyncio.to_thread(write_frames, declared.amqp_url, [expirations(0, 2_000)] * 30)
    async with follower(declared.amqp_url, pause=0.05) as it:
        await eventually(lambda: bool(it.frames))
    assert 0 < len(it.frames) < 30
    # Nothing of it waits in the loop either.
    await eventually(lambda: len(asyncio.all_tasks()) == 1)


async def test_a_replay_that_is_cut_goes_on_from_where_it_stood(declared: VHost) -> None:
    frames = [expirations(number, 2_000) for number in range(30)]
    await asyncio.to_thread(write_frames, declared.amqp_url, frames)
    async with proxied(declared.amqp_url) as proxy, follower(declared.amqp_url, read_by=proxy.url, pause=0.05) as it:
        await eventually(lambda: bool(it.frames))
        await proxy.close()
        assert not it.reader.is_up_to_date
        await proxy.open()
        await it.reader.wait_up_to_date(60)
        assert it.events == [event for frame in frames for event in frame]


# When it stalls.


async def test_a_consumer_that_stalls_with_its_channel_open_is_found_out_and_healed(declared: VHost) -> None:
    async with follower(declared.amqp_url) as it:
        await it.reader.wait_up_to_date(60)
        await it.write(*expirations(0, 3))
        await it.reader.barrier()
        await stall(it.link)
        stalled_at = time.monotonic()
        await it.write(*expirations(3, 3))
        await eventually(lambda: not it.reader.is_up_to_date)
        assert "not delivered" in it.reader.problem or "nothing has come" in it.reader.problem
        await eventually(lambda: it.reader.is_up_to_date)
        assert time.monotonic() - stalled_at < 15
        assert it.events == expirations(0, 6)


async def test_what_nothing_is_heard_of_is_not_up_to_date_for_long(declared: VHost) -> None:
    async with proxied(declared.amqp_url) as proxy, follower(declared.amqp_url, read_by=proxy.url) as it:
        await it.reader.wait_up_to_date(60)
        proxy.freeze()
        await eventually(lambda: not it.reader.is_up_to_date, seconds=15)
        with pytest.raises(BrokerUnavailableError):
            await it.reader.wait_up_to_date(0)
        proxy.thaw()
        await it.reader.wait_up_to_date(60)
