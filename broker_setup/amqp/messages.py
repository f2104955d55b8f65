"""Messages: what is published, and what is delivered."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

TRANSIENT = 1
PERSISTENT = 2


class Source(Protocol):
    """The channel on which deliveries came: what is said of them, while it is open, in the order of the calls."""

    is_closed: bool

    def ack(self, tag: int, *, multiple: bool = False) -> None:
        """Let a delivery go for good, or with `multiple` all up to it."""

    def give_back(self, tag: int, *, multiple: bool = False) -> None:
        """Return a delivery to its queue, or with `multiple` all up to it."""

    def reject(self, tag: int) -> None:
        """Send a delivery to where its queue sends what could not be dealt with."""


@dataclass(slots=True, kw_only=True)
class Properties:
    """A message's properties, under AMQP's names; None or no headers: not set.

    `timestamp` is in UTC and has whole seconds on the wire, `expiration` is in milliseconds, as text.
    """

    content_type: str | None = None
    content_encoding: str | None = None
    headers: dict[str, Any] = field(default_factory=dict)
    delivery_mode: int | None = None
    priority: int | None = None
    correlation_id: str | None = None
    reply_to: str | None = None
    expiration: str | None = None
    message_id: str | None = None
    timestamp: datetime | None = None
    type: str | None = None
    user_id: str | None = None
    app_id: str | None = None


@dataclass(slots=True)
class Message(Properties):
    """A message to be published: persistent unless it says otherwise."""

    body: bytes = b""
    delivery_mode: int | None = field(default=PERSISTENT, kw_only=True)


@dataclass(slots=True, eq=False)
class Arrival(Properties):
    """A message that came to a consumer, and by what it is acked, returned or rejected: its channel and its tag."""

    body: bytes = b""
    channel: Source = field(kw_only=True, repr=False)
    consumer_tag: str = ""
    delivery_tag: int = 0
    redelivered: bool = False
    exchange: str = ""
    routing_key: str = ""
