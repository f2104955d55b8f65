"""Parked messages for tests: put where the relay and the gateways put them."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import uuid4

import pika
from msgspec.structs import replace

from broker_setup.amqp.messages import Message
from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.topology import RESULTS_PARKED, SUBMISSIONS_FAILED, SUBMISSIONS_PARKED, submissions_queue
from broker_setup.wire.parked import parked_copy
from broker_setup.wire.results import Result, Tries, encode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.submissions import Submission, encode_submission
from tests.support.ledger import pika_channel
from tests.support.operator import SECRET, Operator, header, submission, take_all

AT = 1_738_324_800.0  # 2025-01-31T12:00:00Z
NOON = datetime.fromtimestamp(AT, UTC)
LMS = "https://lms.example"


def result_for(url: str, body: bytes = b"graded") -> Result:
    uuid = uuid4().hex
    return Result(uuid, body, Sealer([SECRET]).seal(ReturnAddress(uuid, header(url))), Tries(made=7, waits=7))


def parked_result(result: Result, reason: str = "refused: 404", *, at: float = AT, origin: str = LMS) -> Message:
    return parked_copy(encode_result(result), reason, queue="openedx", origin=origin, at=at)


def parked_submission(each: Submission, reason: str = "too many failures", *, at: float = AT) -> Message:
    """Park one whose student could not be told."""
    return parked_copy(encode_submission(replace(each, untold=True)), reason, queue=each.queue, at=at)


async def put(amqp_url: str, queue: str, messages: Sequence[Message]) -> None:
    """Put messages into a RabbitMQ queue, in this order."""
    link = Link(amqp_url, "test parks")
    async with supervised(link):
        await link.wait_up()
        publisher = Publisher(link)
        for start in range(0, len(messages), 50):
            await asyncio.gather(
                *(publisher.publish(each, exchange="", routing_key=queue) for each in messages[start : start + 50])
            )


def park_results(amqp_url: str, *messages: Message) -> None:
    asyncio.run(put(amqp_url, RESULTS_PARKED, messages))


def park_submissions(amqp_url: str, *messages: Message) -> None:
    asyncio.run(put(amqp_url, SUBMISSIONS_PARKED, messages))


def reject_one(amqp_url: str, course_queue: str) -> None:
    """Take a submission as an AMQP grader does, and reject it."""
    with pika_channel(amqp_url) as channel:
        method, *_ = next(iter(channel.consume(submissions_queue(course_queue))))
        channel.basic_reject(method.delivery_tag, requeue=False)
        channel.cancel()


def reject(amqp_url: str, course_queue: str, body: bytes, **properties: object) -> None:
    """Have RabbitMQ dead-letter a message of a course queue, and park it with x-death for all that it says."""
    with pika_channel(amqp_url) as channel:
        channel.basic_publish(
            "", submissions_queue(course_queue), body, pika.BasicProperties(delivery_mode=2, **properties)
        )
    reject_one(amqp_url, course_queue)
    with pika_channel(amqp_url) as channel:
        [(method, failed, body)] = [next(iter(channel.consume(SUBMISSIONS_FAILED)))]
        channel.basic_publish("", SUBMISSIONS_PARKED, body, failed)
        channel.basic_ack(method.delivery_tag)


def in_queue(operator: Operator, queue: str) -> list[str]:
    """The correlation ids of what is in a queue, in order; takes them out."""
    return [uuid for uuid, *_ in take_all(operator.amqp_url, queue)]


def some_results(number: int) -> list[Result]:
    return [result_for(f"https://lms.example/{each}", b"%d" % each) for each in range(number)]


def work(queue: str = "openedx") -> Submission:
    return submission(NOON, "https://lms.example/1", queue=queue)
