"""Fills queues and streams as quickly as their broker stores what comes."""

import asyncio
from collections.abc import Iterable, Iterator

from broker_setup.amqp.confirms import Confirm
from broker_setup.amqp.connection import connect
from broker_setup.amqp.messages import Message

HEARTBEAT_SECONDS = 60
# So much is made while the broker stores as much.
WINDOW_MESSAGES = 500
WINDOW_BYTES = 2 * 1024 * 1024


async def publish_all(url: str, messages: Iterable[Message], *, exchange: str, routing_key: str) -> None:
    """Publish messages to the broker at `url`; return when all are stored, and raise AmqpError if one is not."""
    connection = await connect(url, name="bench", heartbeat=HEARTBEAT_SECONDS)
    try:
        channel = await connection.channel()
        before: list[Confirm] = []
        for window in _windows(messages):
            sent = [channel.publish(message, exchange=exchange, routing_key=routing_key) for message in window]
            await _stored(before)
            before = sent
        await _stored(before)
    finally:
        await connection.close()


def _windows(messages: Iterable[Message]) -> Iterator[list[Message]]:
    window: list[Message] = []
    size = 0
    for message in messages:
        window.append(message)
        size += len(message.body)
        if len(window) >= WINDOW_MESSAGES or size >= WINDOW_BYTES:
            yield window
            window, size = [], 0
    yield window


async def _stored(confirms: Iterable[Confirm]) -> None:
    await asyncio.sleep(0)  # what was published goes out at the end of this turn
    for confirm in confirms:
        if not confirm.done:
            done = asyncio.Event()
            confirm.then(done.set)
            await done.wait()
        if confirm.error:
            raise confirm.error
