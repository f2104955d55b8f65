"""Deliveries for consumers that take thousands of them: read once, without an aio-pika object around each."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aio_pika.abc import AbstractChannel
from aiormq.abc import AbstractChannel as Underlay
from aiormq.abc import DeliveredMessage


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery: what is read of it, under aio-pika's names, and what it is acked, returned or rejected by."""

    body: bytes
    headers: Mapping[str, Any]
    correlation_id: str | None
    reply_to: str | None
    timestamp: datetime | None
    redelivered: bool
    channel: Underlay
    consumer_tag: str | None
    delivery_tag: int


async def consume(
    channel: AbstractChannel,
    queue: str,
    take: Callable[[Arrival], Awaitable[None]],
    *,
    arguments: dict[str, Any] | None = None,
) -> str:
    """Consume a queue; return the consumer's tag.

    Each delivery is served in a task of its own, which is cancelled when its channel is gone.
    """

    async def taken(message: DeliveredMessage) -> None:
        await take(arrival_of(message))

    underlay = await channel.get_underlay_channel()
    return (await underlay.basic_consume(queue, taken, arguments=arguments)).consumer_tag or ""


def arrival_of(message: DeliveredMessage) -> Arrival:
    """Read what the library beneath aio-pika hands out."""
    properties = message.header.properties
    return Arrival(
        body=message.body,
        headers=properties.headers or {},
        correlation_id=properties.correlation_id,
        reply_to=properties.reply_to,
        timestamp=properties.timestamp,
        redelivered=bool(message.redelivered),
        channel=message.channel,
        consumer_tag=message.consumer_tag,
        delivery_tag=message.delivery_tag or 0,
    )
