"""What a parked message looks like: the delivery as it came, with the reason why it was put aside."""

from typing import Any
from uuid import uuid4

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

PARKED_REASON_HEADER = "xqueue-parked-reason"

# All of a message's headers must fit one frame of 128 KiB, or the broker closes the connection.
_MAX_HEADERS = 100 * 1024
_MAX_REASON = 500
_MAX_INT = 2**63 - 1  # what a header can carry


def parked_copy(message: AbstractIncomingMessage, reason: str) -> Message:
    """Copy `message` for a parked queue: its body byte for byte, what identifies it, and `reason` in a header.

    Whatever a stranger may have put into a message, the copy can be published; headers that are no plain value (such
    as RabbitMQ's own x-death) are left out, and those that don't fit.
    """
    return Message(
        message.body,
        delivery_mode=DeliveryMode.PERSISTENT,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        correlation_id=message.correlation_id,
        headers=_plain_headers(message) | {PARKED_REASON_HEADER: reason[:_MAX_REASON]},
        message_id=uuid4().hex,
        timestamp=message.timestamp,
        type=message.type,
    )


def _plain_headers(message: AbstractIncomingMessage) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    room = _MAX_HEADERS
    for name, value in message.headers.items():
        if name.startswith("x-") or not _is_plain(value):
            continue
        room -= len(name.encode()) + len(value if isinstance(value, bytes) else str(value).encode())
        if room >= 0:
            kept[name] = value
    return kept


def _is_plain(value: object) -> bool:
    if isinstance(value, int):
        return abs(value) <= _MAX_INT
    return isinstance(value, str | bytes)
