"""Looks into the broker's queues."""

import aio_pika


async def ready(amqp_url: str, queue: str) -> int:
    """Count the messages of a queue that are with no consumer."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0
