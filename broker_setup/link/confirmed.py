"""One publish on one channel: how it is written, and what the broker's answer to it means.

What a Publisher promises stands in publisher.py; another way to write frames would change this file alone.
"""

from typing import TYPE_CHECKING, cast

from aio_pika import Message
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelClosed, DeliveryError, PublishError

from broker_setup.errors import BrokerUnavailableError, PublishRefusedError, UnroutableError
from broker_setup.link.refusals import in_words
from broker_setup.link.size_limit import SizeLimit

if TYPE_CHECKING:
    from aiormq import Channel


async def publish_confirmed(
    channel: AbstractChannel, message: Message, *, exchange: str, routing_key: str, limit: SizeLimit
) -> None:
    """Write a publish to a channel and return with its confirm.

    Raise UnroutableError, MessageTooLargeError (`limit` then knows the size), PublishRefusedError, or
    BrokerUnavailableError where the broker did not store it. Where the channel or its connection ends, the library's
    own error is raised.
    """
    try:
        # Not aio-pika's publish, which has each one wait until the bytes of the one before are on the wire.
        underlay = cast("Channel", await channel.get_underlay_channel())
        await underlay.basic_publish(
            message.body,
            exchange=exchange,
            routing_key=routing_key,
            properties=message.properties,
            mandatory=True,
            wait=False,
        )
    except PublishError as error:
        raise UnroutableError(
            f"no queue takes {routing_key!r} at the exchange {exchange!r}: run `xqueue-broker declare`",
        ) from error
    except ChannelClosed as error:
        if limit.learn(error):
            # One message was too large; the others on this channel ended with it and may be tried again.
            limit.check(len(message.body))
            raise BrokerUnavailableError("the channel was closed for another message") from error
        raise PublishRefusedError(
            f"the broker refuses {routing_key!r} at the exchange {exchange!r} ({in_words(error)}): "
            "run `xqueue-broker declare`, or `setup` where rights are missing",
        ) from error
    except DeliveryError as error:
        raise BrokerUnavailableError("the broker refused to store the message") from error
