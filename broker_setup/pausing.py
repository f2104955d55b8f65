"""Which course queues are paused, why, by whom and until when: read from what lies in their queues at the broker."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime

from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BadMessageError
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.link.connection import Link
from broker_setup.link.pauses import ANSWER_SECONDS, Pauses
from broker_setup.topology import paused_queue
from broker_setup.wire.pauses import Pause, decode_pause


async def read_pauses(link: Link, queues: Iterable[str], pauses: Pauses) -> dict[str, Pause]:
    """Return those of the course queues that are paused; raise BrokerUnavailableError if the broker does not say.

    That takes a right to read `xqueue.paused.*`. Each word lies there twice: who reads one hides it from nobody.
    """
    found = {}
    for queue in queues:
        if await pauses.is_paused(queue) and (pause := await _read(link, queue)):
            found[queue] = pause
    return found


async def _read(link: Link, queue: str) -> Pause | None:
    with broker_calls("the broker does not say why the queue is paused"):
        channel = await link.channel(prefetch=1)
        arrived: asyncio.Future[Arrival] = asyncio.get_running_loop().create_future()
        try:
            await channel.consume(paused_queue(queue), lambda message: _first(arrived, message))
            with suppress(TimeoutError):  # then its time was over, or it was resumed just now
                async with asyncio.timeout(ANSWER_SECONDS):
                    return _pause_of(await arrived, queue)
        finally:
            await close_channel(channel)  # which puts it back
    return None


def _first(arrived: asyncio.Future[Arrival], message: Arrival) -> None:
    if not arrived.done():
        arrived.set_result(message)


def _pause_of(message: Arrival, queue: str) -> Pause:
    try:
        return decode_pause(message.body)
    except BadMessageError:  # whatever lies there pauses the queue
        since = message.timestamp or datetime.now(UTC)
        return Pause(queue, f"what lies in {paused_queue(queue)} can't be read", "", since)
