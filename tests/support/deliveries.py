"""A delivery as a consumer gets it, made by hand: the attributes of aio-pika's message that our code reads."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from aio_pika import Message
from aio_pika.abc import AbstractIncomingMessage


@dataclass
class FakeDelivery:
    """What stood in a message's body and properties."""

    body: bytes = b""
    correlation_id: Any = None
    headers: Mapping[str, Any] = field(default_factory=dict)
    timestamp: datetime | None = None
    reply_to: str | None = None
    redelivered: bool | None = False


def delivered(message: Message) -> AbstractIncomingMessage:
    """The delivery that a consumer gets of a message that was published."""
    return delivery(
        body=message.body,
        correlation_id=message.correlation_id,
        headers=dict(message.headers),
        timestamp=message.timestamp,
    )


def delivery(**attributes: Any) -> AbstractIncomingMessage:
    """A delivery of anything, however wrong."""
    return cast("AbstractIncomingMessage", FakeDelivery(**attributes))
