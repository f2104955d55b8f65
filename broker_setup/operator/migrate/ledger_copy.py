"""Copies the ledger's frames to another broker, byte for byte and in their order; a frame's id says what is there."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.errors import ArgumentError, BadMessageError
from broker_setup.ledger.frames import Frame, decode_frame, encode_frame, new_frame_id
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.operator.session import Session
from broker_setup.process.process_name import process_name
from broker_setup.topology import LEDGER, LEDGER_EXCHANGE
from broker_setup.visible import numbered

PORTION = 200
PREFETCH = 1000
SILENCE_SECONDS = 20.0


async def copy_ledger(here: Session, there: Session, tell: Callable[[int], None]) -> int:
    """Copy what is not there yet; return how many frames that were.

    Raise ArgumentError if the other ledger has a history of its own: after that ours would come too late.
    """
    ids_here = {frame.message_id async for frame in _frames(here)}
    ids_there: set[str | None] = set()
    own = 0
    async for frame in _frames(there):
        ids_there.add(frame.message_id)
        own += frame.message_id not in ids_here and _says_something(frame)
    if own and ids_here - ids_there:
        raise ArgumentError(
            f"the ledger there has {numbered(own, 'frame')} of its own: gateways work there already. Stop them, delete "
            f"it (`rabbitmqctl delete_queue {LEDGER}`) and `declare` it again there, or give --without-ledger: then "
            "running leases are forgotten"
        )
    copied = 0
    portion: list[Arrival] = []
    async for frame in _frames(here):
        if frame.message_id in ids_there or not _says_something(frame):
            continue
        portion.append(frame)
        if len(portion) == PORTION:
            await _publish(there, portion)
            copied += len(portion)
            portion.clear()
            tell(copied)
    await _publish(there, portion)
    return copied + len(portion)


async def _publish(there: Session, frames: Sequence[Arrival]) -> None:
    # To one routing key the publisher sends in the order of the calls.
    await asyncio.gather(
        *(
            there.publisher.publish_copy(
                Message(
                    frame.body,
                    content_type=frame.content_type,
                    message_id=frame.message_id,
                    type=frame.type,
                    headers={name: value for name, value in frame.headers.items() if name != "x-stream-offset"},
                ),
                exchange=LEDGER_EXCHANGE,
                routing_key=LEDGER,
            )
            for frame in frames
        )
    )


async def _frames(session: Session) -> AsyncIterator[Arrival]:
    """Yield each frame up to now, in order."""
    marker = Frame(new_frame_id(), process_name("xqueue-broker migrate"), [])
    await session.publisher.publish_copy(encode_frame(marker), exchange=LEDGER_EXCHANGE, routing_key=LEDGER)
    inbox: asyncio.Queue[Arrival] = asyncio.Queue()
    with broker_calls("the ledger could not be read"):
        channel = await session.source.channel(prefetch=PREFETCH)
        try:
            await channel.consume(LEDGER, inbox.put_nowait, {"x-stream-offset": "first"})
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    frame = await inbox.get()
                channel.ack(frame.delivery_tag)
                if frame.message_id == marker.id.hex():
                    return
                yield frame
        finally:
            await close_channel(channel)


def _says_something(frame: Arrival) -> bool:
    try:
        read = decode_frame(frame.body)
    except BadMessageError:
        return True
    return bool(read.events or read.unknown)
