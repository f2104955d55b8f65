"""The bare programs: the least that the same work costs with aio-pika and aiohttp alone.

`python -m bench.bare publish|cycle|post URL COUNT CONCURRENCY` prints its pace as a JSON line.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import aio_pika
import aiohttp
import uvloop
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage
from pamqp.common import FieldTable

from bench.pace import Pace, Watch, paced
from bench.payload import callback_fields, message_body

QUORUM: FieldTable = {"x-queue-type": "quorum"}


async def publish(url: str, count: int, concurrency: int) -> Pace:
    """Publish durably to a quorum queue, each confirmed, `concurrency` in flight."""
    async with _queues(url, 1) as (channel, [queue]):
        body = message_body()

        async def publish_one(_: int) -> None:
            await channel.default_exchange.publish(_message(body), queue)

        return await paced([publish_one] * concurrency, count)


async def cycle(url: str, count: int, concurrency: int) -> Pace:
    """Consume from one quorum queue, publish confirmed to another, then ack, `concurrency` unacked."""
    async with _queues(url, 2) as (channel, [source, target]):
        body = message_body()
        for begin in range(0, count, 500):
            batch = min(500, count - begin)
            await asyncio.gather(*(channel.default_exchange.publish(_message(body), source) for _ in range(batch)))
        done = asyncio.Event()
        left = count

        async def handle(message: AbstractIncomingMessage) -> None:
            nonlocal left
            await channel.default_exchange.publish(_message(message.body), target)
            await message.ack()
            left -= 1
            if not left:
                done.set()

        await channel.set_qos(prefetch_count=concurrency)
        queue = await channel.get_queue(source, ensure=False)
        watch = Watch()
        await queue.consume(handle)
        await done.wait()
        return watch.pace(count)


async def post(url: str, count: int, concurrency: int) -> Pace:
    """POST a callback's two fields as a form, `concurrency` at once."""
    fields = callback_fields()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=concurrency)) as session:

        async def post_one(_: int) -> None:
            async with session.post(url, data=fields) as response:
                await response.read()

        return await paced([post_one] * concurrency, count)


@asynccontextmanager
async def _queues(url: str, number: int) -> AsyncIterator[tuple[AbstractChannel, list[str]]]:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel(on_return_raises=True)
        names = [f"bench.bare.{uuid4().hex}" for _ in range(number)]
        for name in names:
            await channel.declare_queue(name, durable=True, arguments=QUORUM)
        try:
            yield channel, names
        finally:
            for name in names:
                await channel.queue_delete(name)


def _message(body: bytes) -> aio_pika.Message:
    return aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, message_id=uuid4().hex)


PROGRAMS = {"publish": publish, "cycle": cycle, "post": post}


def main() -> None:
    """Run the program that the command line names."""
    what, url, count, concurrency = sys.argv[1:]
    print(uvloop.run(PROGRAMS[what](url, int(count), int(concurrency))).as_json())


if __name__ == "__main__":
    main()
