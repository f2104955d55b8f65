"""The one way in which a delivery is acked, returned or rejected: in a bounded time, whatever becomes of the broker."""

import asyncio
from enum import Enum, auto

from aiormq.abc import AbstractChannel

from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.broker_calls import broker_calls

# A broker that is well reads a frame at once. One that has not by then is frozen, or the connection is dead unnoticed.
END_SECONDS = 3.0


class Ending(Enum):
    """How a delivery ends."""

    ACKED = auto()  # it leaves its queue
    RETURNED = auto()  # back into its queue
    REJECTED = auto()  # to where its queue sends what could not be dealt with


async def end_delivery(channel: AbstractChannel, tag: int, how: Ending, *, multiple: bool = False) -> None:
    """End the delivery `tag`, or with `multiple` all up to it (not to reject them); return once that is on its way.

    Raise BrokerUnavailableError where its channel is gone, and the broker delivers it again, or where the broker does
    not read: then the command goes out once it does.

    aiormq has room for ten frames on their way out of a connection, and whoever comes then waits. When a connection
    dies nobody takes frames out any more, and nobody wakes those who wait, so a bare `await channel.basic_ack(...)` may
    never return, nor raise.
    """
    sending = _send(channel, tag, how, multiple=multiple)
    with broker_calls("the delivery is void"):
        if channel.connection.write_queue.full():
            await _until_closed(channel, asyncio.create_task(sending))
        else:
            await sending  # it need not wait, and a task would cost more than all the rest


async def _send(channel: AbstractChannel, tag: int, how: Ending, *, multiple: bool) -> None:
    # Without waiting for the bytes to be on the wire: that is one more wait, and says nothing of the broker.
    match how:
        case Ending.ACKED:
            await channel.basic_ack(tag, multiple=multiple, wait=False)
        case Ending.RETURNED:
            await channel.basic_nack(tag, multiple=multiple, requeue=True, wait=False)
        case Ending.REJECTED:
            # Not nack, which RabbitMQ 4.3 does not count as an attempt.
            await channel.basic_reject(tag, requeue=False, wait=False)


async def _until_closed(channel: AbstractChannel, sending: asyncio.Task[None]) -> None:
    closing = channel.closing
    try:
        await asyncio.wait({sending, closing}, timeout=END_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if sending.done():
            closing.cancel()  # the future that we waited for, not the closing itself
        else:
            # Left behind: it goes out once the broker reads again, or ends with the channel.
            closing.add_done_callback(lambda _: sending.cancel())
            sending.add_done_callback(_look_at_its_error)
    if not sending.done():
        raise BrokerUnavailableError("the channel is closed, or the broker does not read from it")
    sending.result()


def _look_at_its_error(sending: asyncio.Task[None]) -> None:
    # Nobody waits for it any more, and asyncio complains of an error that nobody asked for.
    if not sending.cancelled():
        sending.exception()
