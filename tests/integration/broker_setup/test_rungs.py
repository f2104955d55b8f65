"""A rung holds a result for its delay and gives it back to the results queue, as it was."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime

from broker_setup.amqp.messages import Arrival
from broker_setup.link.connection import Link, supervised
from broker_setup.link.ending import Ending
from broker_setup.link.publisher import Publisher
from broker_setup.link.settling import end_message
from broker_setup.topology import CHECKED_QUEUE, retry_queue
from broker_setup.wire.results import Result, Tries, decode_result, encode_result
from tests.support.broker import VHost
from tests.support.publishing import UUID, result
from tests.support.waiting import eventually


async def test_a_result_comes_straight_back_after_the_delay_as_it_was(declared: VHost) -> None:
    sent = Result(
        UUID,
        "\r\n \N{GRINNING FACE}".encode() + b"\xff",
        "sealed",
        Tries(made=3, refused=1, waits=4, since=1_700_000_000),
        amendment=2,
        redriven=1,
        graded_at=datetime(2025, 1, 31, 12, tzinfo=UTC),
    )
    link = Link(declared.amqp_url, "rungs")
    async with supervised(link), asyncio.timeout(30):
        await link.wait_up()
        came: list[tuple[float, Result]] = []

        def take(message: Arrival) -> None:
            came.append((time.monotonic(), decode_result(message)))
            end_message(message, Ending.ACKED)

        channel = await link.channel(prefetch=10)
        await channel.consume(CHECKED_QUEUE, take)
        publisher = Publisher(link)
        # Twice the same way: the relay publishes afresh each time, so RabbitMQ sees no cycle.
        for turn in (1, 2):
            started = time.monotonic()
            await publisher.publish(encode_result(sent), exchange="", routing_key=retry_queue(1))
            await eventually(lambda turn=turn: len(came) == turn)  # type: ignore[misc]
            arrived, received = came[-1]
            assert received == sent
            assert 0.9 < arrived - started < 15


async def test_a_short_delay_does_not_wait_behind_a_long_one(declared: VHost, count: Callable[[str], int]) -> None:
    link = Link(declared.amqp_url, "rungs")
    async with supervised(link), asyncio.timeout(30):
        await link.wait_up()
        publisher = Publisher(link)
        for delay in (3600, 1, 0.3):
            message = encode_result(Result(UUID, str(delay).encode(), "sealed"))
            await publisher.publish(message, exchange="", routing_key=retry_queue(delay))
        await eventually(lambda: count(CHECKED_QUEUE) == 2)
        assert [count(retry_queue(delay)) for delay in (3600, 1, 0.3)] == [1, 0, 0]


async def test_many_results_all_come_back(declared: VHost, count: Callable[[str], int]) -> None:
    link = Link(declared.amqp_url, "rungs")
    async with supervised(link), asyncio.timeout(60):
        await link.wait_up()
        publisher = Publisher(link)
        rung = retry_queue(0.3)
        for _ in range(10):  # a broker that is busy for others confirms fifty in time
            await asyncio.gather(*(publisher.publish(result(), exchange="", routing_key=rung) for _ in range(50)))
        await eventually(lambda: count(CHECKED_QUEUE) == 500)
        assert count(retry_queue(0.3)) == 0
