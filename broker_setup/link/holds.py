"""Holds: unacked deliveries that the gateway keeps, and the one place where they are acked or given back."""

import logging
from dataclasses import dataclass
from enum import Enum, auto

from aio_pika.abc import AbstractIncomingMessage
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelInvalidStateError

from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.ending import Ending, end_delivery

log = logging.getLogger(__name__)


class Release(Enum):
    """How a hold ends."""

    SETTLED = auto()  # acked: it leaves its queue, for good or because a copy is stored elsewhere
    RETURNED = auto()  # requeued, to the head of its queue


_ENDINGS = {Release.SETTLED: Ending.ACKED, Release.RETURNED: Ending.RETURNED}


@dataclass(frozen=True)
class Hold:
    """An unacked delivery: its tag and channel, not its body; a copy that was `redriven` so often."""

    channel: AbstractChannel
    consumer_tag: str
    delivery_tag: int
    redriven: int = 0

    @classmethod
    def of(cls, message: AbstractIncomingMessage, redriven: int = 0) -> "Hold":
        """Make the hold of a delivery."""
        return cls(message.channel, message.consumer_tag or "", message.delivery_tag or 0, redriven)


async def end(hold: Hold, how: Release) -> None:
    """Ack or nack: nowhere else in the gateway does either."""
    try:
        await end_delivery(hold.channel, hold.delivery_tag, _ENDINGS[how])
    except BrokerUnavailableError as error:
        # The channel has gone, and with it the hold: the broker delivers it again, and the facts decide then.
        log.debug("a hold of %s was gone before it could be released: %s", hold.consumer_tag, error)


async def end_message(message: AbstractIncomingMessage, how: Release) -> None:
    """End the hold of a delivery that was not made before, because it was dealt with at once."""
    try:
        hold = Hold.of(message)
    except ChannelInvalidStateError:
        log.debug("a delivery's channel was gone before it could be released: it comes again")
        return
    await end(hold, how)
