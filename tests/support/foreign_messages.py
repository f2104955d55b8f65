"""Messages as aio-pika has them and as ours are: tests publish and take as a stranger does, with another client."""

from typing import Any, cast

import aio_pika
from aio_pika.abc import AbstractMessage

from broker_setup.amqp.messages import Arrival, Message


def to_aio_pika(message: Message) -> aio_pika.Message:
    """Make of one of ours what aio-pika publishes."""
    return aio_pika.Message(
        message.body,
        headers=message.headers,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        delivery_mode=message.delivery_mode,
        priority=message.priority,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        expiration=None if message.expiration is None else float(message.expiration) / 1000,
        message_id=message.message_id,
        timestamp=message.timestamp,
        type=message.type,
        user_id=message.user_id,
        app_id=message.app_id,
    )


def from_aio_pika(message: AbstractMessage) -> Arrival:
    """Make of what aio-pika was delivered, or publishes, what comes to a consumer of ours."""
    return Arrival(
        message.body,
        channel=cast("Any", None),
        headers=dict(message.headers),
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        delivery_mode=int(message.delivery_mode),
        priority=message.priority,
        correlation_id=message.correlation_id,
        reply_to=message.reply_to,
        message_id=message.message_id,
        timestamp=cast("Any", message.timestamp),
        type=message.type,
        user_id=message.user_id,
        redelivered=bool(getattr(message, "redelivered", False)),
        exchange=getattr(message, "exchange", "") or "",
        routing_key=getattr(message, "routing_key", "") or "",
    )
