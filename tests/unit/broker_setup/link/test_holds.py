"""A hold whose channel is gone ends without a fuss: the broker delivers it again."""

from types import SimpleNamespace
from typing import Any

from aiormq.exceptions import ChannelInvalidStateError

from broker_setup.link.holds import Release, end_message


class Orphan(SimpleNamespace):
    """A delivery as aio-pika shows it when its channel has closed."""

    @property
    def channel(self) -> Any:
        raise ChannelInvalidStateError


async def test_a_delivery_whose_channel_has_closed_is_left_to_the_broker() -> None:
    for how in Release:
        message: Any = Orphan(consumer_tag="ctag", delivery_tag=1)
        await end_message(message, how)
