"""A delivery as a consumer gets it, made by hand."""

from typing import Any, cast

from broker_setup.amqp.messages import Arrival, Message


def delivered(message: Message) -> Arrival:
    """The delivery that a consumer gets of a message that was published."""
    return delivery(
        body=message.body,
        correlation_id=message.correlation_id,
        headers=dict(message.headers),
        timestamp=message.timestamp,
    )


def delivery(**attributes: Any) -> Arrival:
    """A delivery of anything, however wrong."""
    return Arrival(channel=cast("Any", None), **attributes)
