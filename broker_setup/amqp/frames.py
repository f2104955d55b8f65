"""Frames: how what is sent is cut into them, and the few methods that are read and written here."""

import re
import struct
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import cast

from pamqp import constants, frame
from pamqp.base import Frame as Method

METHOD, HEADER, BODY, HEARTBEAT = 1, 2, 3, 8
HEAD = struct.Struct(">BHI")  # kind, channel, size of the payload
HEAD_BYTES = HEAD.size
END = b"\xce"
END_BYTE = END[0]
# What a frame has around its payload.
AROUND_BYTES = HEAD_BYTES + 1
PROTOCOL_HEADER = b"AMQP\x00\x00\x09\x01"
HEARTBEAT_FRAME = HEAD.pack(HEARTBEAT, 0, 0) + END

# What the methods that come by the thousand begin with: class basic, and which of its methods.
DELIVER = b"\x00\x3c\x00\x3c"
RETURN = b"\x00\x3c\x00\x32"
ACK = b"\x00\x3c\x00\x50"
NACK = b"\x00\x3c\x00\x78"
_PUBLISH = b"\x00\x3c\x00\x28"
_CLASS_BASIC = b"\x00\x3c\x00\x00"
_MANDATORY = b"\x01"

# Which names of queues will do is for the broker to say: pamqp refuses some that RabbitMQ takes, as that of AT&T-x.
constants.DOMAIN_REGEX["queue-name"] = re.compile(r".*", re.DOTALL)

_ack = struct.Struct(">BHI4sQBc")
_ACK_BYTES, _REJECT_BYTES = 13, 13
_REJECT = b"\x00\x3c\x00\x5a"
_head_and_size = struct.Struct(">BHI4sQ")
_size = struct.Struct(">Q")
_tag_and_flag = struct.Struct(">QB")


def ack_frame(channel: int, tag: int, *, multiple: bool) -> bytes:
    """Make the frame that acks."""
    return _ack.pack(METHOD, channel, _ACK_BYTES, ACK, tag, multiple, END)


def return_frame(channel: int, tag: int, *, multiple: bool) -> bytes:
    """Make the frame that gives a delivery back to its queue."""
    return _ack.pack(METHOD, channel, _ACK_BYTES, NACK, tag, multiple | 2, END)


def reject_frame(channel: int, tag: int) -> bytes:
    """Make the frame that rejects a delivery: to where its queue sends what could not be dealt with."""
    return _ack.pack(METHOD, channel, _REJECT_BYTES, _REJECT, tag, 0, END)


def method_frame(channel: int, method: Method) -> bytes:
    """Make the frame of any method."""
    return frame.marshal(method, channel)


def read_method(payload: bytes) -> Method:
    """Read any method."""
    whole = b"".join((HEAD.pack(METHOD, 0, len(payload)), payload, END))
    return cast("Method", frame.unmarshal(whole)[2])


def publish_frame(channel: int, exchange: str, routing_key: str) -> bytes:
    """Make the frame with which a mandatory publish begins; raise OverflowError for a name that is too long."""
    payload = b"".join((_PUBLISH, b"\x00\x00", short_text(exchange), short_text(routing_key), _MANDATORY))
    return b"".join((HEAD.pack(METHOD, channel, len(payload)), payload, END))


def header_frame(channel: int, size: int, properties: bytes) -> bytes:
    """Make the frame that says what a body of `size` bytes is."""
    payload = len(_CLASS_BASIC) + _size.size + len(properties)
    return b"".join((_head_and_size.pack(HEADER, channel, payload, _CLASS_BASIC, size), properties, END))


def body_frames(channel: int, body: bytes, room: int) -> Iterable[bytes | memoryview]:
    """Cut a body into frames of up to `room` bytes of it each; what is large is not copied."""
    if len(body) > room:
        return _cut(channel, memoryview(body), room)
    return (b"".join((HEAD.pack(BODY, channel, len(body)), body, END)),) if body else ()


def _cut(channel: int, body: memoryview, room: int) -> Iterator[bytes | memoryview]:
    for start in range(0, len(body), room):
        part = body[start : start + room]
        yield HEAD.pack(BODY, channel, len(part))
        yield part
        yield END


def short_text(text: str) -> bytes:
    """Write a text of up to 255 bytes; raise OverflowError for a longer one."""
    raw = text.encode()
    return len(raw).to_bytes() + raw


@lru_cache(1000)
def usual_text(text: str) -> bytes:
    """Do the same for one of the few texts that stand in most messages."""
    return short_text(text)


@lru_cache(1000)
def read_short_texts(raw: bytes) -> tuple[str, ...]:
    """Read the texts that follow each other in `raw`: the same few names stand in all that is delivered."""
    texts, at = [], 0
    while at < len(raw):
        end = at + 1 + raw[at]
        texts.append(raw[at + 1 : end].decode(errors="replace"))
        at = end
    return tuple(texts)


def read_tag_and_flag(raw: bytes, at: int) -> tuple[int, int]:
    """Read a delivery tag and the flags behind it."""
    tag, flag = _tag_and_flag.unpack_from(raw, at)
    return tag, flag


def read_size(header: bytes) -> int:
    """Read from a content header how many bytes its body has."""
    size: int = _size.unpack_from(header, len(_CLASS_BASIC))[0]
    return size
