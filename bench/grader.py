"""The AMQP grader that is measured: the library, with a function that has nothing to do.

`python -m bench.grader coroutine|threads|processes URL COUNT AT_ONCE` prints its pace as a JSON line.
"""

import asyncio
import sys
from uuid import uuid4

import aio_pika
import uvloop
from aio_pika.abc import AbstractChannel

from bench.pace import Pace, Watch
from bench.payload import QUEUE, REPLY, SECRET_KEY, lms_body, lms_header
from broker_setup.topology import RESULTS_QUEUE, SUBMISSIONS_EXCHANGE, submissions_queue
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.submissions import Submission as Sent
from broker_setup.wire.submissions import encode_submission
from tests.support.foreign_messages import to_aio_pika
from xqueue_grader import Answer, Grade, Grader, Options, Submission, Workers

KINDS = ("coroutine", *Workers)
BATCH = 500
LOOK_SECONDS = 0.01


def nothing(submission: Submission) -> Answer:
    """Grade."""
    return REPLY


async def nothing_awaited(submission: Submission) -> Answer:
    """Grade on the event loop."""
    return REPLY


async def cycle(kind: str, url: str, count: int, at_once: int) -> Pace:
    """Put `count` submissions into the queue, let them be graded, and take the time from the first result to the last.

    Whatever results are there before are thrown away.
    """
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(on_return_raises=True)
        results = await channel.get_queue(RESULTS_QUEUE, ensure=False)
        await results.purge()
        await _submit(channel, count)
        grade: Grade = nothing_awaited if kind == "coroutine" else nothing
        workers = Workers.THREADS if kind == "coroutine" else Workers(kind)
        grader = Grader(url, [QUEUE], grade, Options(at_once=at_once, workers=workers))
        running = asyncio.create_task(grader.run())

        first = await _results(channel, at_least=1)
        watch = Watch()
        pace = watch.pace(await _results(channel, at_least=count) - first)
        grader.stop()
        await running
        return pace


async def _results(channel: AbstractChannel, *, at_least: int) -> int:
    """Return how many results wait, once there are so many."""
    while True:
        declared = await channel.declare_queue(RESULTS_QUEUE, passive=True)
        if (found := declared.declaration_result.message_count or 0) >= at_least:
            return found
        await asyncio.sleep(LOOK_SECONDS)


async def _submit(channel: AbstractChannel, count: int) -> None:
    exchange = await channel.get_exchange(SUBMISSIONS_EXCHANGE, ensure=False)
    sealer, body = Sealer([SECRET_KEY]), lms_body()
    await (await channel.get_queue(submissions_queue(QUEUE), ensure=False)).purge()

    async def submit_one() -> None:
        uuid = uuid4().hex
        sealed = sealer.seal(ReturnAddress(uuid, lms_header("http://127.0.0.1:20000")))
        await exchange.publish(to_aio_pika(encode_submission(Sent(uuid, QUEUE, body, sealed))), QUEUE)

    for begin in range(0, count, BATCH):
        await asyncio.gather(*(submit_one() for _ in range(min(BATCH, count - begin))))


def main() -> None:
    """Run the grader that the command line names."""
    kind, url, count, at_once = sys.argv[1:]
    print(uvloop.run(cycle(kind, url, int(count), int(at_once))).as_json())


if __name__ == "__main__":
    main()
