"""What a test of AMQP graders needs: submissions in their queue, a grader in this process, and what came of it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any, cast
from uuid import uuid4

import aio_pika
from aio_pika.abc import AbstractChannel

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.operator.setup.declare import declare
from broker_setup.topology import RESULTS_QUEUE, SUBMISSIONS_EXCHANGE, submissions_queue, topology
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.submissions import Submission, encode_submission
from tests.support.foreign_messages import from_aio_pika, to_aio_pika
from xqueue_grader import Answer, Grade, Grader, Options
from xqueue_grader import Submission as Graded
from xqueue_grader.common.amqp.messages import Arrival as GradersArrival

QUEUE = "openedx"
SECRET = "a secret of the tests, long enough for a key"
TOPOLOGY = topology([QUEUE, "other"], (1,))
BODY = json.dumps({"xqueue_body": "work", "xqueue_files": {"a": "http://a"}}).encode()


def delivered(body: bytes = BODY, **properties: Any) -> GradersArrival:
    """Make a delivery as a grader's link hands it out."""
    return GradersArrival(body, channel=cast("Any", None), consumer_tag="tag", delivery_tag=1, **properties)


class Course:
    """Both sides of a queue: what an LMS's gateway puts into it, and where replies and failures go."""

    def __init__(self, amqp_url: str, channel: AbstractChannel) -> None:
        self.amqp_url = amqp_url
        self._channel = channel
        self._sealer = Sealer([SECRET])

    async def submit(self, body: str = "work", *, queue: str = QUEUE, lms_header: str = "{}", attempt: int = 1) -> str:
        """Put a submission into its queue, as a gateway does; return its uuid."""
        uuid = uuid4().hex
        sealed = self._sealer.seal(ReturnAddress(uuid, lms_header))
        files = {"a.py": "http://files/a.py"}
        await self.put(encode_submission(Submission(uuid, queue, body, sealed, files, attempt=attempt)), queue)
        return uuid

    def opens(self, sealed: str, uuid: str) -> bool:
        """Tell whether a return address is that of the submission; raise an error if it is not."""
        return self._sealer.open(sealed, uuid).submission == uuid

    async def let_a_grader_die(self, queue: str = QUEUE) -> None:
        """Take a submission as a grader does that dies of it."""
        async with await aio_pika.connect(self.amqp_url) as connection:
            channel = await connection.channel()
            found = await channel.get_queue(submissions_queue(queue), ensure=False)
            async with asyncio.timeout(20):
                while await found.get(fail=False) is None:
                    await asyncio.sleep(0.02)

    async def put(self, message: Message, queue: str = QUEUE) -> None:
        """Put anything into a course queue."""
        exchange = await self._channel.get_exchange(SUBMISSIONS_EXCHANGE, ensure=False)
        await exchange.publish(to_aio_pika(message), queue)

    async def take(self, queue: str = RESULTS_QUEUE, within: float = 60) -> Arrival:
        """Take the next message of a RabbitMQ queue, waiting for it."""
        found = await self._channel.get_queue(queue, ensure=False)
        async with asyncio.timeout(within):
            while (message := await found.get(no_ack=True, fail=False)) is None:
                await asyncio.sleep(0.02)
        return from_aio_pika(message)

    async def take_failed(self) -> Arrival:
        """Take what was rejected, from wherever the topology sends it."""
        [queue] = [each for each in TOPOLOGY.queues if each.name == submissions_queue(QUEUE)]
        return await self.take(str(queue.arguments["x-dead-letter-routing-key"]))

    async def waiting(self, queue: str = RESULTS_QUEUE) -> int:
        """Count the messages of a RabbitMQ queue that are with no consumer."""
        declared = await self._channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0

    async def is_settled(self, queue: str = QUEUE) -> bool:
        """Tell whether a course queue has nothing left, once nobody consumes it."""
        return await self.waiting(submissions_queue(queue)) == 0

    async def ready_is(self, count: int) -> bool:
        """Tell whether so many submissions are with no grader."""
        return await self.waiting(submissions_queue(QUEUE)) == count

    async def delete(self, queue: str) -> None:
        """Delete a course queue."""
        await self._channel.queue_delete(submissions_queue(queue))

    async def declare(self) -> None:
        """Declare what is missing."""
        await asyncio.to_thread(declare, self.amqp_url, TOPOLOGY)

    async def reply_queue(self) -> str:
        """Declare the queue of a caller of classic RPC: its own, and bound to nothing."""
        queue = await self._channel.declare_queue(exclusive=True, arguments={"x-queue-type": "classic"})
        return queue.name


@contextlib.asynccontextmanager
async def course_at(amqp_url: str) -> AsyncIterator[Course]:
    """Declare the topology and open both sides of it."""
    await asyncio.to_thread(declare, amqp_url, TOPOLOGY)
    async with sides_of(amqp_url) as course:
        yield course


@contextlib.asynccontextmanager
async def sides_of(amqp_url: str) -> AsyncIterator[Course]:
    """Open both sides on a broker that has the topology."""
    async with await aio_pika.connect(amqp_url) as connection:
        yield Course(amqp_url, await connection.channel(on_return_raises=True))


@contextlib.asynccontextmanager
async def grading(
    amqp_url: str, grade: Grade, options: Options | None = None, queues: tuple[str, ...] = (QUEUE,)
) -> AsyncIterator[Grader]:
    """Run a grader in this process for as long as the block runs."""
    grader = Grader(amqp_url, queues, grade, options)
    task = asyncio.create_task(grader.run())
    try:
        yield grader
    finally:
        grader.stop()
        await task


class Gate:
    """Grades when the test says so."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.open = asyncio.Event()

    async def grade(self, submission: Graded) -> Answer:
        self.begun.append(submission.uuid)
        await self.open.wait()
        return "{}"
