"""Our own AMQP against the broker: what is large, what is refused, what is given up, what falls silent."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from broker_setup.amqp.channel import Channel
from broker_setup.amqp.confirms import Confirm
from broker_setup.amqp.connection import Connection, connect
from broker_setup.amqp.errors import ChannelClosedError, ConnectionLostError, ReturnedError
from broker_setup.amqp.frames import AROUND_BYTES
from broker_setup.amqp.messages import Arrival, Message
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_QUEUE
from tests.support.broker import VHost
from tests.support.proxy import Proxy, proxied
from tests.support.waiting import eventually


@pytest.fixture
async def proxy(declared: VHost) -> AsyncIterator[Proxy]:
    async with proxied(declared.amqp_url) as proxy:
        yield proxy


@pytest.fixture
async def connection(proxy: Proxy) -> AsyncIterator[Connection]:
    connection = await connect(proxy.url, name="test", heartbeat=10)
    yield connection
    await connection.close()


def publish(channel: Channel, message: Message, routing_key: str = RESULTS_QUEUE) -> Confirm:
    return channel.publish(message, exchange=RESULTS_EXCHANGE, routing_key=routing_key)


async def test_bodies_of_every_size_around_a_frame_come_as_they_were_sent(connection: Connection) -> None:
    channel, consuming = await connection.channel(), await connection.channel()
    room = connection.frame_max - AROUND_BYTES
    bodies = [bytes([number]) * size for number, size in enumerate((0, 1, room - 1, room, room + 1, 3 * room + 7))]
    came: list[Arrival] = []
    await consuming.consume(RESULTS_QUEUE, came.append)
    confirms = [publish(channel, Message(body)) for body in bodies]
    await eventually(lambda: len(came) == len(bodies))
    assert [each.body for each in came] == bodies
    await eventually(lambda: all(each.done and each.error is None for each in confirms))


async def test_headers_that_fit_no_frame_are_refused_before_anything_is_sent(connection: Connection) -> None:
    channel = await connection.channel()
    with pytest.raises(OverflowError, match="headers have"):
        publish(channel, Message(b"x", headers={"long": "x" * connection.frame_max}))
    good = publish(channel, Message(b"x"))
    await eventually(lambda: good.done)
    assert good.error is None
    assert not channel.is_closed


async def test_a_text_that_fits_no_property_is_refused_before_anything_is_sent(connection: Connection) -> None:
    channel = await connection.channel()
    with pytest.raises(OverflowError):
        publish(channel, Message(b"x", correlation_id="x" * 256))
    assert await channel.count_ready(RESULTS_QUEUE) == 0


async def test_of_many_at_once_each_hears_what_became_of_it(connection: Connection) -> None:
    channel = await connection.channel()
    confirms = [
        publish(channel, Message(b"x", message_id=str(number)), RESULTS_QUEUE if number % 3 else "nowhere")
        for number in range(300)
    ]
    await eventually(lambda: all(each.done for each in confirms))
    assert [number for number, each in enumerate(confirms) if each.error] == list(range(0, 300, 3))
    assert {type(each.error) for each in confirms} == {type(None), ReturnedError}


async def test_a_refusal_ends_its_channel_with_the_brokers_words_and_no_other(connection: Connection) -> None:
    channel, other = await connection.channel(), await connection.channel()
    pending = publish(channel, Message(b"x"), RESULTS_QUEUE)
    with pytest.raises(ChannelClosedError, match="NOT_FOUND - no queue 'nope'") as refused:
        await channel.count_ready("nope")
    assert refused.value.code == 404
    await eventually(lambda: pending.done)
    with pytest.raises(ChannelClosedError):
        channel.ack(1)
    assert await other.count_ready(RESULTS_QUEUE) >= 0


async def test_a_question_that_is_given_up_costs_neither_its_channel_nor_the_answer_to_the_next(
    connection: Connection, proxy: Proxy
) -> None:
    channel = await connection.channel()
    proxy.freeze()
    for _ in range(3):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await channel.count_ready(RESULTS_QUEUE)
    proxy.thaw()
    stored = publish(channel, Message(b"x"))
    await eventually(lambda: stored.done)
    assert await channel.count_ready(RESULTS_QUEUE) == 1


async def test_a_channel_that_nobody_waits_for_any_more_is_closed(connection: Connection, proxy: Proxy) -> None:
    before = await connection.channel()
    proxy.freeze()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await connection.channel()
    proxy.thaw()
    after = [await connection.channel() for _ in range(3)]
    await before.close()
    assert {each.number for each in after} >= {3}
    await eventually(lambda: not connection._closing)


async def test_what_is_sent_while_nobody_reads_goes_out_whole_and_in_order_heartbeats_and_all(
    declared: VHost, proxy: Proxy
) -> None:
    connection = await connect(proxy.url, name="test", heartbeat=1)
    channel = await connection.channel()
    proxy.freeze()
    bodies = [bytes([number]) * 2_000_000 for number in range(12)]
    confirms = [publish(channel, Message(body)) for body in bodies]
    await asyncio.sleep(1.5)  # heartbeats fall due
    proxy.thaw()
    await eventually(lambda: all(each.done and each.error is None for each in confirms))
    came: list[Arrival] = []
    await (await connection.channel()).consume(RESULTS_QUEUE, came.append)
    await eventually(lambda: len(came) == len(bodies))
    assert [each.body == body for each, body in zip(came, bodies, strict=True)] == [True] * len(bodies)
    await connection.close()


async def test_a_broker_of_which_nothing_comes_is_given_up_within_three_heartbeats(
    declared: VHost, proxy: Proxy
) -> None:
    connection = await connect(proxy.url, name="test", heartbeat=1)
    channel = await connection.channel()
    proxy.freeze()
    pending = publish(channel, Message(b"x"))
    asking = asyncio.create_task(channel.count_ready(RESULTS_QUEUE))
    async with asyncio.timeout(60):
        with pytest.raises(ConnectionLostError, match="three heartbeats"):
            await asking
    assert isinstance(pending.error, ConnectionLostError)
    assert connection.is_closed


async def test_a_mistake_with_one_delivery_leaves_the_others_their_connection(
    connection: Connection, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    channel = await connection.channel()
    came: list[bytes] = []

    def received(message: Arrival) -> None:
        if message.body == b"1":
            raise RuntimeError("a mistake of ours")
        came.append(message.body)

    await channel.consume(RESULTS_QUEUE, received)
    for body in (b"1", b"2"):
        publish(channel, Message(body))
    await eventually(lambda: came == [b"2"])
    assert "stays unsettled" in caplog.text
    assert not connection.is_closed
