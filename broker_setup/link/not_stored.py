"""Why a publish was not stored, or may not be: what the broker said of it, in XQueue's own errors."""

from ..amqp.errors import AmqpError, ChannelClosedError, NackedError, ReturnedError
from ..errors import (
    BrokerUnavailableError,
    MessageTooLargeError,
    PublishRefusedError,
    UnroutableError,
    XQueueError,
)
from .publishing_channels import Way
from .refusals import in_words
from .size_limit import SizeLimit


def why_not_stored(error: AmqpError, way: Way, size: int, limit: SizeLimit) -> XQueueError:
    """Return the error of a publish of `size` bytes; `limit` learns the size that the broker takes, if it says so."""
    exchange, routing_key = way
    if isinstance(error, ReturnedError):
        return UnroutableError(
            f"no queue takes {routing_key!r} at the exchange {exchange!r}: run `xqueue-broker declare`"
        )
    if isinstance(error, NackedError):
        return BrokerUnavailableError("the broker refused to store the message")
    if not isinstance(error, ChannelClosedError) or not error.code:
        return BrokerUnavailableError(f"the broker was lost before it confirmed: {in_words(error)}")
    if not limit.learn(error):
        return PublishRefusedError(
            f"the broker refuses {routing_key!r} at the exchange {exchange!r} ({in_words(error)}): "
            "run `xqueue-broker declare`, or `setup` where rights are missing"
        )
    try:
        limit.check(size)
    except MessageTooLargeError as too_large:
        return too_large
    # One message was too large; the others on this channel ended with it and may be tried again.
    return BrokerUnavailableError("the channel was closed for another message")
