"""Has the ledger's consumer stall, as RabbitMQ does when a stream's local replica goes away."""

from typing import Any, cast

from broker_setup.link.connection import Link


async def stall(link: Link) -> None:
    """Have its only consumer get nothing any more, its channel open and nobody told of it."""
    channels = cast("Any", link)._connection._channels.values()
    [(channel, tag)] = [(channel, tag) for channel in channels for tag in channel._consumers]
    await channel.cancel(tag)
