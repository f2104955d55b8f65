"""A queue is made anew while an LMS submits and two kinds of graders take from it, and migrate is killed on its way."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import aiohttp
import pytest

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import SUBMISSIONS_EXCHANGE, submissions_queue, topology
from tests.support.broker import Broker, VHost, temporary_vhost
from tests.support.gateway import RETRY_DELAYS, USERS, Gateway
from tests.support.operator import Operator, begun, take_all

QUEUE = submissions_queue("openedx")
WAITING = 150


@pytest.fixture
def vhost(broker: Broker) -> Iterator[VHost]:
    """One that is not lent to the next test: a queue of it is deleted."""
    with temporary_vhost(broker) as own:
        yield own


class Site:
    """A gateway, its callers, and a grader at the broker; what was accepted, and how often each was graded."""

    def __init__(self, gateway: Gateway, vhost: VHost) -> None:
        self._gateway = gateway
        self._vhost = vhost
        self.accepted: set[str] = set()
        self.graded: Counter[str] = Counter()
        self.by_pull = 0
        self.is_over = False

    async def submit(self, session: aiohttp.ClientSession, number: int) -> None:
        header = {"lms_callback_url": f"http://127.0.0.1:9/{number}", "lms_key": "k", "queue_name": "openedx"}
        form = {"xqueue_header": json.dumps(header), "xqueue_body": str(number)}
        if (await self._call(session, "POST", "submit/", data=form))[0] == 0:
            self.accepted.add(str(number))

    async def go_on_submitting(self, session: aiohttp.ClientSession) -> None:
        number = WAITING
        while not self.is_over:
            await self.submit(session, number)
            number += 1
            await asyncio.sleep(0.05)  # the pace of the load

    async def pull(self, session: aiohttp.ClientSession) -> None:
        while not self.is_over:
            code, content = await self._call(session, "GET", "get_submission/", params={"queue_name": "openedx"})
            if code == 0:
                work = json.loads(content)
                form = {"xqueue_header": work["xqueue_header"], "xqueue_body": '{"correct": true, "score": 1}'}
                if (await self._call(session, "POST", "put_result/", data=form))[0] == 0:
                    self.graded[work["xqueue_body"]] += 1
                    self.by_pull += 1
            await asyncio.sleep(0.1)  # the pace of the load

    async def grade_at_the_broker(self) -> None:
        while not self.is_over:
            with contextlib.suppress(aio_pika.exceptions.AMQPError, aio_pika.exceptions.QueueEmpty, TimeoutError):
                async with await aio_pika.connect(self._vhost.amqp_url) as connection:
                    channel = await connection.channel()
                    queue = await channel.get_queue(QUEUE)
                    while not self.is_over:
                        message = await queue.get(fail=False)
                        if message:
                            self.graded[json.loads(message.body)["xqueue_body"]] += 1
                            await message.ack()
                        await asyncio.sleep(0.1)  # the pace of the load
            await asyncio.sleep(0.1)

    async def _call(self, session: aiohttp.ClientSession, how: str, call: str, **more: object) -> tuple[int, str]:
        async with session.request(how, f"{self._gateway.url}/xqueue/{call}", **more) as answer:  # type: ignore[arg-type]
            said = await answer.json(content_type=None)
            return said["return_code"], said["content"]


@pytest.mark.timeout(400)
async def test_under_load_and_killed_again_and_again_nothing_is_lost_and_nothing_graded_twice(
    vhost: VHost, tmp_path: Path
) -> None:
    gateway = Gateway(vhost.amqp_url, tmp_path)
    await asyncio.to_thread(declare, vhost.amqp_url, topology(gateway.queues, RETRY_DELAYS))
    async with await aio_pika.connect(vhost.amqp_url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(QUEUE)
        former = await channel.declare_queue(
            QUEUE, durable=True, arguments={"x-queue-type": "quorum", "x-delivery-limit": 1000}
        )
        await former.bind(SUBMISSIONS_EXCHANGE, "openedx")
    settings = Operator(vhost.amqp_url).settings() | {
        "MANAGEMENT_URL": vhost.management_url,
        "XQUEUES": json.dumps(gateway.queues),
        "RETRY_DELAYS": json.dumps(RETRY_DELAYS),
    }
    site = Site(gateway, vhost)
    await asyncio.to_thread(gateway.start)
    try:
        authorization = {"Authorization": aiohttp.encode_basic_auth("lms", USERS["lms"])}
        async with aiohttp.ClientSession(headers=authorization) as session:
            for number in range(WAITING):
                await site.submit(session, number)
            working = [
                asyncio.create_task(work)
                for work in (site.go_on_submitting(session), site.pull(session), site.grade_at_the_broker())
            ]
            for seconds in (0.5, 0.6, 0.8, 1.0, 1.4):
                process = await begun("migrate", "--yes", **settings)
                await asyncio.sleep(seconds)  # somewhere on its way
                await process.kill()
            process = await begun("migrate", "--yes", **settings)
            assert await process.ended(240) == 0
            site.is_over = True
            await asyncio.gather(*working)
    finally:
        await asyncio.to_thread(gateway.stop)
    left = [json.loads(body)["xqueue_body"] for _, body, _ in await asyncio.to_thread(take_all, vhost.amqp_url, QUEUE)]
    assert sorted([*site.graded.elements(), *left], key=int) == sorted(site.accepted, key=int)
    assert site.by_pull
    assert len(site.accepted) > WAITING
