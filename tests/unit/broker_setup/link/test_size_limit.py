"""A broker that takes smaller messages than ours says so by closing the channel; that is a word to the sender."""

import asyncio
from typing import TYPE_CHECKING, Any, cast

import pytest

from broker_setup.amqp.confirms import Confirm
from broker_setup.amqp.errors import PRECONDITION_FAILED, ChannelClosedError
from broker_setup.amqp.messages import Message
from broker_setup.errors import BrokerUnavailableError, MessageTooLargeError
from broker_setup.link.publisher import Publisher
from broker_setup.link.size_limit import largest_taken

if TYPE_CHECKING:
    from broker_setup.link.connection import Link

REFUSAL = "PRECONDITION_FAILED - message size 2000 is larger than configured max size 1000"
REFUSED = ChannelClosedError(REFUSAL, PRECONDITION_FAILED)


@pytest.mark.parametrize(
    ("refusal", "largest"),
    [
        (REFUSAL, 1000),
        ("PRECONDITION_FAILED - message size 134217729 is larger than max size 134217728", 134217728),
        ("PRECONDITION_FAILED - message size 2000 larger than max size 1000", 1000),
        ("PRECONDITION_FAILED - unknown delivery tag 1", None),
        ("NOT_FOUND - no exchange 'xqueue.results' in vhost '/'", None),
    ],
)
def test_the_refusal_names_how_large_a_message_may_be(refusal: str, largest: int | None) -> None:
    assert largest_taken(ChannelClosedError(refusal, PRECONDITION_FAILED)) == largest


class SmallBroker:
    """Link and channel at once: closes the channel under all publishes when one is over 1,000 bytes."""

    user = None
    opened = 1
    is_up = True

    def __init__(self) -> None:
        self.on_closed: set[Any] = set()
        self.came = 0
        self._confirms: list[Confirm] = []

    async def channel(self) -> "SmallBroker":
        return self

    def publish(self, message: Message, **_: object) -> Confirm:
        self.came += 1
        self._confirms.append(Confirm(message.message_id))
        if len(message.body) > 1000:
            asyncio.get_running_loop().call_soon(self._refuse)
        return self._confirms[-1]

    def _refuse(self) -> None:
        for confirm in self._confirms:
            confirm.end(REFUSED)
        self._confirms.clear()
        for callback in tuple(self.on_closed):
            callback(self, REFUSED)


def message(size: int) -> Message:
    return Message(b"x" * size)


async def test_of_all_on_the_channel_only_what_is_too_large_is_told_so() -> None:
    broker = SmallBroker()
    publisher = Publisher(cast("Link", broker))
    small, large = await asyncio.gather(
        *(publisher.publish(message(size), exchange="e", routing_key="k") for size in (1000, 2000)),
        return_exceptions=True,
    )
    assert isinstance(large, MessageTooLargeError)
    assert str(large) == "more than the 1000 bytes that the broker takes"
    assert isinstance(small, BrokerUnavailableError)


async def test_once_the_limit_is_known_what_is_over_it_costs_no_channel_any_more() -> None:
    broker = SmallBroker()
    publisher = Publisher(cast("Link", broker))
    for _ in range(3):
        with pytest.raises(MessageTooLargeError):
            await publisher.publish(message(2000), exchange="e", routing_key="k")
    assert broker.came == 1
