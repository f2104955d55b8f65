"""Frames: the messages of the ledger stream, each a batch of events that one process committed together."""

import os
from collections.abc import Sequence

import msgspec
from msgspec import Struct

from broker_setup.amqp.messages import Message
from broker_setup.errors import BadMessageError
from broker_setup.ledger.events import AnyEvent

FRAME_ID_BYTES = 12


class Frame(Struct, frozen=True):
    """A batch of events under an id of its own; an empty one is a marker, to see how far a reader has come.

    Its writer sent it at `at`, by its own clock (seconds since the epoch; 0: it does not say, as in 0.1.0); `unknown`
    further events are of a later version, or spoilt: nobody here can read them.
    """

    id: bytes
    writer: str
    events: Sequence[AnyEvent]
    at: float = 0.0
    unknown: int = 0


class FrameOnWire(Struct, frozen=True, array_like=True):
    """What stands in the message."""

    id: bytes
    writer: str
    events: Sequence[AnyEvent]
    at: float = 0.0


class _FrameOfAnyVersion(Struct, frozen=True, array_like=True):
    id: bytes
    writer: str
    events: Sequence[msgspec.Raw]
    at: float = 0.0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(FrameOnWire)
_any_version = msgspec.msgpack.Decoder(_FrameOfAnyVersion)
_event: msgspec.msgpack.Decoder[AnyEvent] = msgspec.msgpack.Decoder(AnyEvent)
_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def new_frame_id() -> bytes:
    """Make an id that no other frame has."""
    return os.urandom(FRAME_ID_BYTES)


def encode_frame(frame: Frame) -> Message:
    """Make the stream message of a frame."""
    return Message(
        _encoder.encode(FrameOnWire(frame.id, frame.writer, frame.events, frame.at)),
        content_type="application/msgpack",
        message_id=frame.id.hex(),
        type="xqueue.ledger.frame",
    )


def decode_frame(body: bytes) -> Frame:
    """Read a frame, without the events that can't be read; raise BadMessageError if it is none."""
    try:
        whole = _decoder.decode(body)
    except _UNREADABLE:
        return _decode_in_part(body)
    return Frame(whole.id, whole.writer, whole.events, whole.at)


def _decode_in_part(body: bytes) -> Frame:
    try:
        frame = _any_version.decode(body)
    except _UNREADABLE as error:
        raise BadMessageError(f"no frame of the ledger: {error}", body) from error
    events = []
    for raw in frame.events:
        try:
            events.append(_event.decode(raw))
        except _UNREADABLE:
            continue
    return Frame(frame.id, frame.writer, events, frame.at, len(frame.events) - len(events))
