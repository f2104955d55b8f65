"""What a test of upstreams needs: settings, an AMQP grader, xqueue-upstream in a process of its own."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aio_pika
from aio_pika.abc import AbstractIncomingMessage

from broker_setup.operator.setup.declare import declare
from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_EXCHANGE, submissions_queue
from gateway.upstream.process import UpstreamProcess
from tests.support.lms_site import PASSWORD, WATCHER, LmsSite
from tests.support.relay import settings_for as relay_settings
from tests.support.service_process import ServiceProcess, service_process

QUEUE = "openedx"
POINTS = 10.0


def settings_for(amqp_url: str, site: LmsSite, there: str, **others: object) -> Settings:
    """Make settings by which the work of the queue `there` comes to QUEUE; `others` are keys of Settings."""
    values: dict[str, object] = {
        "xqueues": {QUEUE: "amqp"},
        "upstreams": {"lms": {"url": site.url, "user": WATCHER, "queues": {there: {"queue": QUEUE, "points": POINTS}}}},
        "upstream_passwords": {"lms": PASSWORD},
        "upstream_poll": 0.1,
    }
    return relay_settings(amqp_url, **(values | others))


class Grader:
    """An AMQP grader without the library: it has one submission at a time, and notes what it was given."""

    def __init__(self) -> None:
        self.given: list[dict[str, Any]] = []
        self.score: Callable[[str], object] = lambda _: 7
        self.goes_on = asyncio.Event()  # while it is not set, all that is being graded waits
        self.goes_on.set()

    def answers(self) -> list[str]:
        """What students wrote, of all that it was given, in that order."""
        return [answer_in(each) for each in self.given]


def answer_in(work: dict[str, Any]) -> str:
    """What a student wrote."""
    answer: str = json.loads(work["xqueue_body"])["student_response"]
    return answer


@contextlib.asynccontextmanager
async def running_grader(settings: Settings) -> AsyncIterator[Grader]:
    """Declare the topology of `settings`, and have QUEUE graded for as long as the block runs."""
    await asyncio.to_thread(declare, settings.amqp_url.get_secret_value(), settings.topology)
    grader = Grader()
    async with await aio_pika.connect(settings.amqp_url.get_secret_value()) as connection:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1)
        results = await channel.get_exchange(RESULTS_EXCHANGE, ensure=False)

        async def grade(message: AbstractIncomingMessage) -> None:
            work = json.loads(message.body)
            grader.given.append(work)
            await grader.goes_on.wait()
            reply = {"correct": True, "score": grader.score(answer_in(work)), "msg": "<p>Good job!</p>"}
            result = aio_pika.Message(
                json.dumps(reply).encode(),
                headers=message.headers,
                correlation_id=message.correlation_id,
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            assert message.reply_to
            await results.publish(result, message.reply_to)
            await message.ack()

        queue = await channel.get_queue(submissions_queue(QUEUE), ensure=False)
        tag = await queue.consume(grade)
        try:
            yield grader
        finally:
            await queue.cancel(tag)


@contextlib.asynccontextmanager
async def running_upstream(settings: Settings) -> AsyncIterator[UpstreamProcess]:
    """Take work in this process for as long as the block runs."""
    process = UpstreamProcess(settings)
    task = asyncio.create_task(process.run())
    try:
        yield process
    finally:
        process.stop()
        await task


def upstream_process(settings: Settings, log: Path) -> AbstractAsyncContextManager[ServiceProcess]:
    """Run `python -m gateway.upstream`; it is gone when the block ends."""
    values = {
        "AMQP_URL": settings.amqp_url.get_secret_value(),
        "SECRET_KEY": settings.secrets[0],
        "XQUEUES": json.dumps(settings.xqueues),
        "UPSTREAMS": json.dumps({name: each.model_dump() for name, each in settings.upstreams.items()}),
        "UPSTREAM_PASSWORDS": json.dumps({"lms": PASSWORD}),
        "UPSTREAM_POLL": str(settings.upstream_poll),
        "UPSTREAM_AHEAD": str(settings.upstream_ahead),
        "REQUESTS_TIMEOUT": str(settings.requests_timeout),
        "LOG_LEVEL": "DEBUG",
    }
    return service_process("gateway.upstream", values, log)
