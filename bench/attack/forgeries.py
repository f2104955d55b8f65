"""Row 15: A forges answers to a program that has work graded by AMQP RPC."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel

from bench.attack.amqp_grader import CLOSED
from bench.attack.arena import Arena
from broker_setup.topology import ANSWERS_EXCHANGE, RESULTS_EXCHANGE

# A try that is neither confirmed nor refused is none.
TRY_SECONDS = 10.0


async def forged_answers(arena: Arena) -> str:
    """Publish answers to a caller's reply queue in every way there is; none arrives."""
    target = arena.target
    if urlsplit(target.grader_url).username == urlsplit(target.broker_url).username:
        return "left out: its AMQP grader is the broker's administrator"
    name = f"attack.replies.{secrets.token_hex(8)}"
    async with await aio_pika.connect(target.broker_url) as ours, await aio_pika.connect(target.grader_url) as theirs:
        channel = await ours.channel()
        replies = await channel.declare_queue(name, exclusive=True)
        answers = await channel.get_exchange(ANSWERS_EXCHANGE, ensure=False)
        await replies.bind(answers, name)
        ways = _ways(name)
        refused = 0
        for way in ways:
            forger = await theirs.channel(on_return_raises=True)
            try:
                async with asyncio.timeout(TRY_SECONDS):
                    await way(forger)
            except (*CLOSED, TimeoutError):
                refused += 1
        # What a bridge publishes would come: behind all that is forged.
        await answers.publish(aio_pika.Message(b"ours"), name)
        came = [(await replies.get(no_ack=True, timeout=TRY_SECONDS)).body]
        while came[-1] != b"ours":
            came.append((await replies.get(no_ack=True, timeout=TRY_SECONDS)).body)
    arena.measured("forged answers that came", len(came) - 1, most=0)
    return f"{len(ways)} ways, {refused} refused by the broker"


def _ways(name: str) -> list[Callable[[AbstractChannel], Awaitable[object]]]:
    def publishing(exchange: str, key: str, **headers: Any) -> Callable[[AbstractChannel], Awaitable[object]]:
        async def way(channel: AbstractChannel) -> None:
            message = aio_pika.Message(b"forged", headers=headers)
            to = await channel.get_exchange(exchange, ensure=False) if exchange else channel.default_exchange
            await to.publish(message, key)

        return way

    async def binding(channel: AbstractChannel) -> None:
        queue = await channel.get_queue(name, ensure=False)
        await queue.bind(RESULTS_EXCHANGE, name)

    return [
        publishing(ANSWERS_EXCHANGE, name),
        publishing("", name),
        publishing("amq.direct", name),
        publishing(RESULTS_EXCHANGE, name),
        publishing(RESULTS_EXCHANGE, "xqueue.results", CC=[name]),
        publishing(RESULTS_EXCHANGE, "xqueue.results", BCC=[name]),
        binding,
    ]
