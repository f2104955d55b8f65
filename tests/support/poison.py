"""A check of replies that ends the process which makes it, and deliveries that came back before."""

import os
import signal
from multiprocessing import parent_process

import aio_pika

from broker_setup.wire.replies import Finding, check_reply
from broker_setup.wire.reply_checker import SUSPECTED_RETURNS

POISON = b"poison"


def check_and_die(callback_url: str, reply: bytes, most: int) -> Finding:
    """Die of what says `poison`, as of a hole in a parser; in this process, whose end would be the test's, say so."""
    if POISON not in reply:
        return check_reply(callback_url, reply, most)
    assert parent_process(), "the process that the test runs in would be dead"
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


async def come_back(amqp_url: str, queue: str, messages: int, returns: int = SUSPECTED_RETURNS) -> None:
    """Have each of a queue's `messages` come back so often, as if their consumer had died each time."""
    for _ in range(returns):
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            taken = await channel.get_queue(queue, ensure=False)
            for _ in range(messages):
                assert await taken.get(timeout=60)
