"""What an AMQP grader writes into headers, against the broker: it counts neither as the broker's word nor as ours."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from msgspec.structs import replace

from broker_setup.amqp.messages import Message
from broker_setup.operator.parked.redriving import ParkedMessages
from broker_setup.operator.parked.selection import Selection
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_QUEUE, PARKED_EXCHANGE, RESULTS_EXCHANGE, RESULTS_PARKED, RESULTS_QUEUE
from broker_setup.wire.parked import (
    PARKED_AT_HEADER,
    PARKED_QUEUE_HEADER,
    PARKED_REASON_HEADER,
    PARKED_TELL_AT_HEADER,
    Kind,
    ParkedMessage,
    read_parked,
)
from broker_setup.wire.properties import (
    BOOKKEEPING_HEADERS,
    RESULT_REDRIVEN_HEADER,
    RESULT_UNTOLD_HEADER,
    RETURN_HEADER,
    SENDER_HEADER,
    returns_of,
)
from tests.support.broker import VHost
from tests.support.foreign_messages import from_aio_pika, to_aio_pika
from tests.support.operator import SECRET, take_all
from tests.support.parking import LMS, NOON, parked_result, put, result_for
from tests.support.waiting import eventually

MANY = 1_000_001
CLAIMS: dict[str, Any] = {
    **dict.fromkeys(BOOKKEEPING_HEADERS, 5),
    SENDER_HEADER: "xqueue-gateway",
    PARKED_REASON_HEADER: "whatever",
    PARKED_QUEUE_HEADER: "another",
    PARKED_AT_HEADER: "2001-01-01T00:00:00.000+00:00",
    PARKED_TELL_AT_HEADER: "2001-01-01T00:00:00.000+00:00",
    "x-delivery-count": MANY,
    "x-first-death-reason": "delivery_limit",
    "x-death": [{"queue": "xqueue.submissions.another", "reason": "delivery_limit", "count": MANY, "time": NOON}],
}


async def publish(channel: AbstractChannel, message: Message, exchange: str, routing_key: str) -> None:
    """Publish as somebody whom the message does not name."""
    await (await channel.get_exchange(exchange, ensure=False)).publish(to_aio_pika(message), routing_key)


async def take(channel: AbstractChannel, queue: str) -> AbstractIncomingMessage:
    source = await channel.get_queue(queue, ensure=False)
    came: AbstractIncomingMessage = await eventually(lambda: source.get(fail=False))
    return came


async def test_no_publisher_can_say_how_often_his_message_came_back_or_where_it_died(declared: VHost) -> None:
    async with await aio_pika.connect(declared.amqp_url) as connection:
        channel = await connection.channel()
        await publish(channel, Message(b"x", headers=CLAIMS), RESULTS_EXCHANGE, RESULTS_QUEUE)
        first = await take(channel, RESULTS_QUEUE)
        assert returns_of(from_aio_pika(first)) == 0
        await first.nack(requeue=True)
        again = await take(channel, RESULTS_QUEUE)
        assert returns_of(from_aio_pika(again)) == 1
        await again.reject(requeue=False)
        parked = read_parked(from_aio_pika(await take(channel, RESULTS_PARKED)), Kind.RESULT, ours=False)
    assert (parked.reason, parked.queue) == ("dead-lettered: rejected from xqueue.results", "")
    assert (parked.attempts, parked.redriven, parked.tell_at) == (0, 0, None)
    assert parked.parked_at
    assert parked.parked_at > NOON


async def test_what_a_grader_had_the_broker_park_is_redriven_without_what_it_says_of_itself(declared: VHost) -> None:
    forged, ours, copied = (replace(result_for(f"{LMS}/{each}"), redriven=2) for each in range(3))
    claims = CLAIMS | {RETURN_HEADER: forged.sealed_return}
    dead = Message(b"graded", correlation_id=forged.submission, headers=claims, expiration="1")
    async with await aio_pika.connect(declared.amqp_url) as connection:
        channel = await connection.channel()
        await publish(channel, dead, RESULTS_EXCHANGE, RESULTS_QUEUE)
        # Of the same user, which names itself, and by the exchange where no grader may write.
        await put(declared.amqp_url, RESULTS_PARKED, [parked_result(ours)])
        await publish(channel, parked_result(copied), PARKED_EXCHANGE, RESULTS_PARKED)
        settings = Settings(
            amqp_url=declared.amqp_url,
            secret_key=SECRET,
            xqueues={"openedx": None},
            amqp_graders={"mallory": ("openedx",)},
        )
        seen = dict[str, ParkedMessage]()

        async def all_parked() -> bool:
            looking = ParkedMessages(settings, [Kind.RESULT], Selection(), progress=lambda _: None)
            await looking.look(lambda met: seen.update({met.parked.correlation_id: met.parked}))
            return len(seen) == 3

        await eventually(all_parked)
    about = seen[forged.submission]
    assert (about.reason, about.queue, about.redriven) == ("dead-lettered: expired from xqueue.results", "", 0)
    assert not about.is_told(datetime.now(UTC))
    assert {seen[each.submission].redriven for each in (ours, copied)} == {2}

    redriving = ParkedMessages(settings, [Kind.RESULT], Selection(), progress=lambda _: None)
    await redriving.redrive(rate=1000, by="ned")
    sent = {uuid: headers for uuid, _, headers in await asyncio.to_thread(take_all, declared.amqp_url, CHECKED_QUEUE)}
    assert sent[forged.submission] == {
        RETURN_HEADER: forged.sealed_return,
        RESULT_REDRIVEN_HEADER: 1,
        RESULT_UNTOLD_HEADER: 1,
    }
    assert {sent[each.submission][RESULT_REDRIVEN_HEADER] for each in (ours, copied)} == {3}
    assert (redriving.tally.done, redriving.tally.stuck) == (3, 0)
