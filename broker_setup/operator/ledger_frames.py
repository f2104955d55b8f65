"""The ledger's frames as they stand in the stream, byte for byte, up to a marker that is written before."""

import asyncio
from collections.abc import AsyncIterator

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.errors import BadMessageError
from broker_setup.ledger.frames import Frame, decode_frame, encode_frame, new_frame_id
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.operator.session import Session
from broker_setup.topology import LEDGER, LEDGER_EXCHANGE

OFFSET_HEADER = "x-stream-offset"
PREFETCH = 1000
SILENCE_SECONDS = 20.0


async def frames_up_to_now(session: Session, start: str | int = "first") -> AsyncIterator[Arrival]:
    """Yield each frame from `start` (an offset, or "first") up to now, in order."""
    marker = Frame(new_frame_id(), session.name, [])
    await session.publisher.publish_copy(encode_frame(marker), exchange=LEDGER_EXCHANGE, routing_key=LEDGER)
    inbox: asyncio.Queue[Arrival] = asyncio.Queue()
    with broker_calls("the ledger could not be read"):
        channel = await session.source.channel(prefetch=PREFETCH)
        try:
            await channel.consume(LEDGER, inbox.put_nowait, {OFFSET_HEADER: start})
            while True:
                async with asyncio.timeout(SILENCE_SECONDS):
                    frame = await inbox.get()
                channel.ack(frame.delivery_tag)
                if frame.message_id == marker.id.hex():
                    return
                yield frame
        finally:
            await close_channel(channel)


def says_something(body: bytes) -> bool:
    """Say whether a frame is more than a marker; one that can't be read may be."""
    try:
        read = decode_frame(body)
    except BadMessageError:
        return True
    return bool(read.events or read.unknown)


def as_published(frame: Arrival) -> Message:
    """Make the message that a frame was before it came into the stream."""
    return Message(
        frame.body,
        content_type=frame.content_type,
        message_id=frame.message_id,
        type=frame.type,
        headers={name: value for name, value in frame.headers.items() if name != OFFSET_HEADER},
    )
