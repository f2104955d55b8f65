"""A: a grader with a broker user of its own, that answers what it was given with anything at all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aiormq.exceptions import ChannelInvalidStateError

from bench.attack.arena import Arena
from broker_setup.topology import RESULTS_EXCHANGE, submissions_queue
from broker_setup.wire.properties import RETURN_HEADER

# Unconfirmed publishes at a time.
AT_ONCE = 200
# What is gone with a channel that the broker closed.
CLOSED = (aio_pika.exceptions.AMQPError, ChannelInvalidStateError, ConnectionError, RuntimeError)


@dataclass(frozen=True)
class Taken:
    """What binds a result to a submission that the grader was given."""

    correlation_id: str
    sealed: Any
    reply_to: str


class AmqpGrader:
    """Takes submissions and publishes results, on one channel."""

    def __init__(self, channel: AbstractChannel, exchange: AbstractExchange, user: str, server_major: int) -> None:
        """Use a channel of the broker user `user`, at a RabbitMQ of that version."""
        self._channel = channel
        self._exchange = exchange
        self._user = user
        self.server_major = server_major

    async def take(self, arena: Arena, number: int, url: Callable[[], str] | None = None) -> list[Taken]:
        """Have so many submissions made, with callback URLs of their own or those of `url`, and take them."""
        await arena.submit_many(arena.target.amqp_queue, number, url)
        queue = await self._channel.get_queue(submissions_queue(arena.target.amqp_queue), ensure=False)
        taken: list[Taken] = []
        async with asyncio.timeout(120), queue.iterator() as deliveries:
            async for message in deliveries:
                await message.ack()
                reply_to, uuid = message.reply_to, message.correlation_id
                assert reply_to
                assert uuid
                taken.append(Taken(uuid, message.headers[RETURN_HEADER], reply_to))
                if len(taken) == number:
                    return taken
        raise AssertionError

    def answer(self, taken: Taken, body: bytes, **others: Any) -> tuple[aio_pika.Message, str]:
        """Make a result, with the routing key it is published with; `others` are properties of its message."""
        properties: dict[str, Any] = {
            "correlation_id": taken.correlation_id,
            "user_id": self._user,
            "delivery_mode": 2,
            "headers": {RETURN_HEADER: taken.sealed},
        }
        return aio_pika.Message(body, **(properties | others)), taken.reply_to

    async def publish(self, *answers: tuple[aio_pika.Message, str]) -> int:
        """Publish results; return how many the broker confirmed."""
        confirmed = 0
        for start in range(0, len(answers), AT_ONCE):
            batch = (self._publish(*each) for each in answers[start : start + AT_ONCE])
            confirmed += sum(await asyncio.gather(*batch))
        return confirmed

    async def _publish(self, message: aio_pika.Message, routing_key: str) -> bool:
        try:
            await self._exchange.publish(message, routing_key)
        except CLOSED:
            return False
        return True


@contextlib.asynccontextmanager
async def amqp_grader(arena: Arena) -> AsyncIterator[AmqpGrader]:
    """Connect as A."""
    user = unquote(urlsplit(arena.target.grader_url).username or "guest")
    async with await aio_pika.connect(arena.target.grader_url) as connection:
        channel = await connection.channel(on_return_raises=True)
        await channel.set_qos(AT_ONCE)
        exchange = await channel.get_exchange(RESULTS_EXCHANGE, ensure=False)
        yield AmqpGrader(channel, exchange, user, _major(connection))


def _major(connection: AbstractConnection) -> int:
    assert connection.transport
    version = connection.transport.connection.server_properties["version"]
    return int(str(version.decode() if isinstance(version, bytes) else version).partition(".")[0])


def same(grader: AmqpGrader, taken: Sequence[Taken], body: bytes) -> list[tuple[aio_pika.Message, str]]:
    """Answer all with the same."""
    return [grader.answer(each, body) for each in taken]
