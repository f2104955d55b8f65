"""What a test of the relay needs: settings, results put into the broker, the relay in this process or its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from time import monotonic
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.operator.setup.declare import declare
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_QUEUE, RESULTS_EXCHANGE, RESULTS_PARKED, RESULTS_QUEUE, retry_queue
from broker_setup.wire.results import NO_TRIES, Result, Tries, encode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from callback_relay.relay import Relay
from tests.support.foreign_messages import from_aio_pika, to_aio_pika
from tests.support.lms import FakeLMS
from tests.support.service_process import ServiceProcess, service_process
from tests.support.waiting import eventually

SECRET = "a secret of the tests, long enough for a key"
RUNGS = (0.1, 0.2, 0.4)
# Where the URLs of what comes beside begin.
BESIDE = "/beside/"
# A callback that takes any reply.
FREE_FORM = "/courses/course-v1:X+Y+Z/xqueue/7/block-v1:a@problem+block@b/any_other"
# A reply of all that forms and JSON have signs for.
STRANGE = '{"msg": "\N{GRINNING FACE} \u00e9 +&=%25\r\n\ttab \u0001"}'.encode()
REPLY = b'{"correct": true, "score": 0.9, "msg": "<p>Good job!</p>"}'


def settings_for(amqp_url: str, **others: object) -> Settings:
    """Make settings with short rungs, and students who are told at once; `others` are keys of Settings."""
    values = {"amqp_url": amqp_url, "secret_key": SECRET, "retry_delays": RUNGS, "requests_timeout": 30.0}
    return Settings(**(values | {"notice_grace": 0.0} | others))  # type: ignore[arg-type]


class Results:
    """The grader's side: puts results where the relay takes them, and looks at where they end."""

    def __init__(self, channel: AbstractChannel) -> None:
        self._channel = channel
        self.sealer = Sealer([SECRET])

    async def put(
        self,
        lms_header: str,
        body: bytes = REPLY,
        *,
        submission: str | None = None,
        sealed: str | None = None,
        tries: Tries = NO_TRIES,
        amendment: int = 0,
    ) -> str:
        """Publish one result as a gateway or an AMQP grader does; return the submission's uuid."""
        uuid = submission or uuid4().hex
        sealed = sealed if sealed is not None else self.sealer.seal(ReturnAddress(uuid, lms_header))
        await self.put_message(encode_result(Result(uuid, body, sealed, tries, amendment)))
        return uuid

    async def put_message(
        self, message: Message, exchange: str = RESULTS_EXCHANGE, routing_key: str = RESULTS_QUEUE
    ) -> None:
        """Publish it, as an AMQP grader does unless it is said otherwise."""
        to = await self._channel.get_exchange(exchange, ensure=False)
        await to.publish(to_aio_pika(message), routing_key)

    async def put_many(self, headers: list[str]) -> None:
        await asyncio.gather(*(self.put(header) for header in headers))

    async def waiting(self, queue: str = RESULTS_QUEUE) -> int:
        """Count the messages of a queue that are with no consumer."""
        declared = await self._channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def rest(self, settings: Settings, within: float = 60) -> None:
        """Return once no queue of the results holds anything; fail where that takes longer."""
        rungs = [retry_queue(delay) for delay in settings.retry_delays]
        async with asyncio.timeout(within):
            while sum([await self.waiting(queue) for queue in (RESULTS_QUEUE, CHECKED_QUEUE, *rungs)]):
                await asyncio.sleep(0.05)

    async def parked(self) -> Arrival:
        """Take one parked message, waiting for it."""
        queue = await self._channel.get_queue(RESULTS_PARKED, ensure=False)
        deadline = monotonic() + 60
        while monotonic() < deadline:
            if (message := await queue.get(no_ack=True, fail=False)) is not None:
                return from_aio_pika(message)
            await asyncio.sleep(0.02)
        raise AssertionError("nothing was parked within 60 s")


@contextlib.asynccontextmanager
async def results_at(settings: Settings) -> AsyncIterator[Results]:
    """Declare the topology of `settings` and open a grader's side."""
    await asyncio.to_thread(declare, settings.amqp_url.get_secret_value(), settings.topology)
    async with grader_side(settings) as results:
        yield results


@contextlib.asynccontextmanager
async def grader_side(settings: Settings) -> AsyncIterator[Results]:
    """Open a grader's side on a broker that has the topology."""
    async with await aio_pika.connect(settings.amqp_url.get_secret_value()) as connection:
        yield Results(await connection.channel(on_return_raises=True))


@contextlib.asynccontextmanager
async def running_relay(settings: Settings, *, until_idle: bool = True) -> AsyncIterator[Relay]:
    """Run a relay in this process for as long as the block runs; at its end nothing must be left that never ends.

    The broker's counts are of ready messages: what a relay holds and has forgotten is not among them. Without
    `until_idle` it may be stopped with much to do.
    """
    relay = Relay(settings)
    task = asyncio.create_task(relay.run())
    try:
        yield relay
        if until_idle:
            await eventually(lambda: not relay._schedule.at_hand and not relay._delivering._under_way)
    finally:
        relay.stop()
        await task


@contextlib.asynccontextmanager
async def beside_others(results: Results, lms: FakeLMS) -> AsyncIterator[None]:
    """Let results of other URLs come all the time, each of which the LMS should take: it is well."""

    async def put() -> None:
        for number in count():
            await results.put(lms.header(f"beside {number}", path=f"{BESIDE}{number}"))
            await asyncio.sleep(0.03)

    putting = asyncio.create_task(put())
    try:
        yield
    finally:
        putting.cancel()
        await asyncio.wait({putting})


def relay_process(
    settings: Settings, log: Path, program: str = "callback_relay", *, code: Path | None = None
) -> AbstractAsyncContextManager[ServiceProcess]:
    """Run `python -m callback_relay`, or what runs it in its stead; it is gone when the block ends."""
    values = {
        "AMQP_URL": settings.amqp_url.get_secret_value(),
        "SECRET_KEY": settings.secrets[0],
        "RETRY_DELAYS": str(list(settings.retry_delays)),
        "NOTICE_GRACE": str(settings.notice_grace),
        "REQUESTS_TIMEOUT": str(settings.requests_timeout),
        "CALLBACK_MAX_AGE": str(settings.callback_max_age),
        "CALLBACK_CONCURRENCY": str(settings.callback_concurrency),
        "CALLBACK_CONCURRENCY_PER_ORIGIN": str(settings.callback_concurrency_per_origin),
    }
    return service_process(program, values, log, code=code)
