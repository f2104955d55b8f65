"""A message as a line of a file: its properties as AMQP writes them, and its body; no I/O."""

import struct

import msgspec
from msgspec import Struct

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.amqp.properties import read_properties, write_properties
from broker_setup.errors import BadMessageError
from broker_setup.operator.copies import copy_of
from broker_setup.wire.parked import plain_headers

# A stranger's message may have what can be read and not be written.
_NOT_WRITABLE = (ValueError, OverflowError, TypeError, struct.error)


class _Record(Struct, frozen=True):
    properties: bytes
    body: bytes


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Record).decode


def line_of(message: Message | Arrival) -> bytes:
    """Make the line of a message; headers that AMQP has no room for are left out, as where it is parked."""
    copy = copy_of(message)
    try:
        properties = write_properties(copy)
    except _NOT_WRITABLE:
        copy.headers = plain_headers(message.headers)
        properties = write_properties(copy)
    return _encode(_Record(properties, message.body)) + b"\n"


def message_in(line: bytes) -> Message:
    """Read a line; raise BadMessageError if it is none."""
    try:
        record = _decode(line)
    except msgspec.MsgspecError as error:
        raise BadMessageError(f"no message of an export: {error}", line) from error
    message = Message(record.body, delivery_mode=None)
    read_properties(message, record.properties)
    return message
