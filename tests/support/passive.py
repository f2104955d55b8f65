"""What a test of the bridge needs: submissions in their queues, a grader that is called, the bridge in a process."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from aiohttp import web

from broker_setup.amqp.messages import Message
from broker_setup.operator.setup.declare import declare
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_QUEUE, SUBMISSIONS_EXCHANGE
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.submissions import Submission, encode_submission
from gateway.passive.bridge import Bridge
from gateway.passive.grader import PassiveGrader, graders_for
from tests.support.certificates import server_tls
from tests.support.foreign_messages import to_aio_pika
from tests.support.lms import LOOPBACK
from tests.support.service_process import ServiceProcess, service_process
from tests.support.waiting import eventually

SECRET = "a secret of the tests, long enough for a key"
REPLY = b'{"correct": true, "score": 0.9, "msg": "<p>Good job!</p>"}'
URL = "http://lms.example/xqueue/1/score_update"

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


def settings_for(amqp_url: str, queues: Mapping[str, str | None], **others: object) -> Settings:
    """Make settings with short pauses; `others` are keys of Settings."""
    values = {"amqp_url": amqp_url, "secret_key": SECRET, "xqueues": queues} | {
        "grading_timeout": 2.0,
        "grading_retry_delays": (0.05, 0.1),
        "retry_delays": (0.1,),
        "notice_grace": 0.0,
    }
    return Settings(**(values | others))  # type: ignore[arg-type]


def grader_for(url: str, **others: object) -> PassiveGrader:
    """Make the bridge's side of the grader at `url`; `others` are keys of Settings."""
    [grader] = graders_for(settings_for("amqp://localhost/", {"queue": url}, **others)).values()
    return grader


@dataclass
class FakeGrader:
    """A real HTTP server that grades as `answer` does, and remembers what it was asked."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    heads: list[Mapping[str, str]] = field(default_factory=list)
    answer: Answer | None = None
    under_way: int = 0
    most_under_way: int = 0

    def says(self, *replies: web.Response | bytes) -> None:
        """Say these, one after the other, and the last one from then on."""
        left = list(replies)

        async def answer(_: web.Request) -> web.Response:
            reply = left.pop(0) if len(left) > 1 else left[0]
            return web.Response(body=reply) if isinstance(reply, bytes) else _copy(reply)

        self.answer = answer

    async def take(self, request: web.Request) -> web.StreamResponse:
        assert request.method == "POST"
        assert request.content_type == "application/json"
        self.asked.append(await request.json())
        self.heads.append(dict(request.headers))
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            return await self.answer(request) if self.answer else web.Response(body=REPLY)
        finally:
            self.under_way -= 1


def _copy(response: web.Response) -> web.Response:
    return web.Response(status=response.status, body=response.body, headers=response.headers)


@contextlib.asynccontextmanager
async def running_grader(certificate: Path | None = None) -> AsyncIterator[FakeGrader]:
    """Run a grader, with TLS if it is given a certificate."""
    grader = FakeGrader()
    app = web.Application(client_max_size=2**26)
    app.router.add_route("*", "/{path:.*}", grader.take)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1, handler_cancellation=True)
    await runner.setup()
    tls = server_tls(certificate) if certificate else None
    await web.TCPSite(runner, LOOPBACK, 0, ssl_context=tls).start()
    grader.url = f"{'https' if tls else 'http'}://{LOOPBACK}:{runner.addresses[0][1]}/grade/"
    try:
        yield grader
    finally:
        await runner.cleanup()


class LmsSide:
    """Puts submissions into their queues as the gateway does, and looks at what comes out behind the bridge."""

    def __init__(self, channel: AbstractChannel) -> None:
        self.channel = channel
        self.sealer = Sealer([SECRET])

    async def submit(
        self,
        queue: str,
        body: str = "work",
        *,
        url: str = URL,
        files: Mapping[str, str] | None = None,
        redriven: int = 0,
    ) -> Submission:
        uuid = uuid4().hex
        header = json.dumps({"lms_callback_url": url, "lms_key": "key", "queue_name": queue})
        sealed = self.sealer.seal(ReturnAddress(uuid, header))
        submission = Submission(uuid, queue, body, sealed, files=files or {}, redriven=redriven)
        await self.put(queue, encode_submission(submission))
        return submission

    async def put(self, queue: str, message: Message) -> None:
        exchange = await self.channel.get_exchange(SUBMISSIONS_EXCHANGE, ensure=False)
        await exchange.publish(to_aio_pika(message), queue)

    async def waiting(self, queue: str) -> int:
        """Count the messages of a RabbitMQ queue that are with no consumer."""
        declared = await self.channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def take(self, queue: str = CHECKED_QUEUE, within: float = 60) -> AbstractIncomingMessage:
        """Take one message out of a RabbitMQ queue, waiting for it."""
        source = await self.channel.get_queue(queue, ensure=False)
        message: AbstractIncomingMessage = await eventually(lambda: source.get(no_ack=True, fail=False), within)
        return message

    async def take_all(self, queue: str = CHECKED_QUEUE) -> list[AbstractIncomingMessage]:
        return [await self.take(queue) for _ in range(await self.waiting(queue))]


@contextlib.asynccontextmanager
async def lms_side(settings: Settings) -> AsyncIterator[LmsSide]:
    """Declare the topology of `settings` and open the LMS's side."""
    url = settings.amqp_url.get_secret_value()
    await asyncio.to_thread(declare, url, settings.topology)
    async with await aio_pika.connect(url) as connection:
        yield LmsSide(await connection.channel(on_return_raises=True))


@contextlib.asynccontextmanager
async def running_bridge(settings: Settings) -> AsyncIterator[Bridge]:
    """Run a bridge in this process for as long as the block runs."""
    bridge = Bridge(settings)
    task = asyncio.create_task(bridge.run())
    try:
        yield bridge
    finally:
        bridge.stop()
        await task


def bridge_process(settings: Settings, log: Path) -> AbstractAsyncContextManager[ServiceProcess]:
    """Run `python -m gateway.passive`; it is gone when the block ends."""
    values = {
        "AMQP_URL": settings.amqp_url.get_secret_value(),
        "SECRET_KEY": settings.secrets[0],
        "XQUEUES": json.dumps(settings.xqueues),
        "GRADING_TIMEOUT": str(settings.grading_timeout),
        "NOTICE_GRACE": json.dumps(settings.notice_grace),
        "GRADING_RETRY_DELAYS": json.dumps(settings.grading_retry_delays),
        "GRADING_CONCURRENCY": str(settings.grading_concurrency),
    }
    return service_process("gateway.passive", values, log)
