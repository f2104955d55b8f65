"""The one way in which a delivery is acked, returned or rejected."""

from enum import Enum, auto

from ..amqp.errors import ChannelClosedError
from ..amqp.messages import Source
from ..errors import BrokerUnavailableError


class Ending(Enum):
    """How a delivery ends."""

    ACKED = auto()  # it leaves its queue
    RETURNED = auto()  # back into its queue
    REJECTED = auto()  # to where its queue sends what could not be dealt with


def end_delivery(channel: Source, tag: int, how: Ending, *, multiple: bool = False) -> None:
    """End the delivery `tag`, or with `multiple` all up to it (not to reject them), in the order of these calls.

    Raise BrokerUnavailableError where its channel is gone, and the broker delivers it again. To a broker that does not
    read, the command goes out once it does.
    """
    try:
        match how:
            case Ending.ACKED:
                channel.ack(tag, multiple=multiple)
            case Ending.RETURNED:
                channel.give_back(tag, multiple=multiple)
            case Ending.REJECTED:
                channel.reject(tag)
    except ChannelClosedError:
        raise BrokerUnavailableError("the delivery is void: its channel is gone") from None
