"""The channels of one publishing connection: one for each exchange and routing key, opened when it is first needed."""

import asyncio
from collections.abc import Callable

from ..amqp.channel import Channel
from ..amqp.errors import AmqpError
from .connection import Link

# By the default exchange answers go to callers' own queues, a key for each: they share one channel. Beyond this many
# channels the keys of each exchange share one, too.
MAX_CHANNELS = 500

# An exchange and a routing key, "" for those that share a channel.
Way = tuple[str, str]


class PublishingChannels:
    """Opens the channels and keeps them; `closed` is called with each that has closed, and with the reason."""

    def __init__(self, link: Link, closed: Callable[[Channel, AmqpError], None]) -> None:
        self._link = link
        self._closed = closed
        self._channels: dict[Way, Channel] = {}
        self._opening = asyncio.Lock()

    def forget(self) -> None:
        """Forget all channels: they belong to a connection that is gone."""
        self._channels.clear()
        self._opening = asyncio.Lock()  # the old one may be held for long, by who opens on the old connection

    async def open(self, exchange_and_key: Way) -> Channel:
        """Open the channel of a way, unless somebody just has; raise BrokerUnavailableError where none can be."""
        way = self._shared(exchange_and_key)
        async with self._opening:
            channel = self._channels.get(way)
            if channel is None:
                opened = self._link.opened
                channel = await self._link.channel()
                channel.on_closed.add(self._closed)
                if opened == self._link.opened:
                    self._channels[way] = channel
            return channel

    def current(self, exchange_and_key: Way) -> Channel | None:
        """Return the open channel of a way; None if it has none."""
        return self._channels.get(self._shared(exchange_and_key))

    def part_from(self, exchange_and_key: Way) -> Channel | None:
        """Have a way go by a fresh channel from now on; return the one that it had."""
        return self._channels.pop(self._shared(exchange_and_key), None)

    def drop(self, channel: Channel) -> None:
        """Forget one that has closed."""
        for way, its_channel in list(self._channels.items()):
            if channel is its_channel:
                del self._channels[way]

    def _shared(self, way: Way) -> Way:
        """Say on which channel a way goes: its own, or that of its exchange."""
        alone = way in self._channels or (way[0] and len(self._channels) < MAX_CHANNELS)
        return way if alone else (way[0], "")
