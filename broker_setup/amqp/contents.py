"""What comes in several frames: a method says what it is, a header its properties and size, the rest is its body."""

from .frames import read_short_texts, read_size, read_tag_and_flag
from .messages import Arrival, Properties, Source
from .properties import read_properties

_ID_BYTES = 4
_TAG_BYTES = 9  # a delivery tag and the flag behind it
_PROPERTIES_AT = 12  # in a content header: behind class, weight and size of the body

Content = Arrival | Properties


class Contents:
    """Puts together what comes on one channel, one after the other: deliveries, and messages that came back."""

    def __init__(self) -> None:
        self._coming: Content | None = None
        self._parts: list[bytes] = []
        self._missing = 0

    def begin_delivery(self, method: bytes, source: Source) -> None:
        """Begin with a basic.deliver."""
        consumer_ends = _ID_BYTES + 1 + method[_ID_BYTES]
        [consumer] = read_short_texts(method[_ID_BYTES:consumer_ends])
        tag, redelivered = read_tag_and_flag(method, consumer_ends)
        exchange, routing_key = read_short_texts(method[consumer_ends + _TAG_BYTES :])
        self._coming = Arrival(
            channel=source,
            consumer_tag=consumer,
            delivery_tag=tag,
            redelivered=bool(redelivered),
            exchange=exchange,
            routing_key=routing_key,
        )

    def begin_return(self) -> None:
        """Begin with a basic.return: of what came back, only the properties are of use."""
        self._coming = Properties()

    def header(self, payload: bytes) -> Content | None:
        """Take a header; return what is whole with that, for want of a body."""
        if self._coming is None:
            return None
        read_properties(self._coming, payload[_PROPERTIES_AT:])
        self._missing = read_size(payload)
        return None if self._missing else self._whole(b"")

    def body(self, payload: bytes) -> Content | None:
        """Take a part of a body; return what is whole with that."""
        if self._coming is None:
            return None
        self._missing -= len(payload)
        if self._missing > 0:
            self._parts.append(payload)
            return None
        if not self._parts:
            return self._whole(payload)
        parts, self._parts = [*self._parts, payload], []
        return self._whole(b"".join(parts))

    def forget(self) -> None:
        """Forget what has come in part."""
        self._coming = None
        self._parts = []

    def _whole(self, body: bytes) -> Content | None:
        whole, self._coming = self._coming, None
        if isinstance(whole, Arrival):
            whole.body = body
        return whole
