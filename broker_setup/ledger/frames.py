"""Frames: the messages of the ledger stream, each a batch of events that one process committed together."""

import secrets
from collections.abc import Sequence

import msgspec
from aio_pika import DeliveryMode, Message
from msgspec import Struct

from broker_setup.errors import BadMessageError
from broker_setup.ledger.events import AnyEvent

FRAME_ID_BYTES = 12


class Frame(Struct, frozen=True, array_like=True):
    """A batch of events under an id of its own; an empty one is a marker, to see how far a reader has come."""

    id: bytes
    writer: str
    events: Sequence[AnyEvent]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Frame)


def new_frame_id() -> bytes:
    """Make an id that no other frame has."""
    return secrets.token_bytes(FRAME_ID_BYTES)


def encode_frame(frame: Frame) -> Message:
    """Make the stream message of a frame."""
    return Message(
        _encoder.encode(frame),
        delivery_mode=DeliveryMode.PERSISTENT,
        content_type="application/msgpack",
        message_id=frame.id.hex(),
        type="xqueue.ledger.frame",
    )


def decode_frame(body: bytes) -> Frame:
    """Read a frame; raise BadMessageError if it is none, or has events of a later version."""
    try:
        return _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadMessageError(f"no frame of the ledger: {error}", body) from error
