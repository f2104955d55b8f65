"""Acks, returns and rejects all reach the broker, and on a connection that was cut under them are said to be void."""

import asyncio

import pytest

from broker_setup.amqp.channel import Channel
from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.connection import Link, supervised
from broker_setup.link.ending import Ending, end_delivery
from broker_setup.link.publisher import Publisher
from broker_setup.topology import RESULTS_QUEUE
from tests.support.broker import VHost
from tests.support.proxy import proxied
from tests.support.publishing import publish
from tests.support.waiting import eventually

MANY = 300


async def fill(vhost: VHost) -> None:
    link = Link(vhost.amqp_url, "fill")
    async with supervised(link):
        await link.wait_up()
        publisher = Publisher(link)
        await asyncio.gather(*(publish(publisher) for _ in range(MANY)))


async def take_all(link: Link) -> tuple[Channel, list[int]]:
    """Have everything delivered; return the channel and the delivery tags."""
    await link.wait_up()
    channel = await link.channel(prefetch=MANY)
    tags: list[int] = []

    def take(message: Arrival) -> None:
        tags.append(message.delivery_tag)

    await channel.consume(RESULTS_QUEUE, take)
    await eventually(lambda: len(tags) == MANY)
    return channel, tags


def end_all(channel: Channel, tags: list[int], how: Ending) -> None:
    for tag in tags:
        end_delivery(channel, tag, how)


@pytest.mark.parametrize("how", list(Ending))
async def test_hundreds_at_once_all_reach_the_broker(declared: VHost, how: Ending) -> None:
    await fill(declared)
    link = Link(declared.amqp_url, "ending")
    async with supervised(link):
        channel, tags = await take_all(link)
        end_all(channel, tags[:MANY], how)
        if how is not Ending.RETURNED:
            await fill(declared)
        # There is room for that many again only if the broker has taken every one.
        await eventually(lambda: len(tags) == 2 * MANY)


@pytest.mark.parametrize("how", list(Ending))
async def test_one_that_comes_too_late_says_that_its_delivery_is_void(declared: VHost, how: Ending) -> None:
    await fill(declared)
    async with proxied(declared.amqp_url) as proxy:
        link = Link(proxy.url, "ending")
        async with supervised(link):
            channel, tags = await take_all(link)
            cutting = asyncio.create_task(proxy.close())
            with pytest.raises(BrokerUnavailableError):
                await end_again_and_again(channel, tags, how)
            await cutting


async def end_again_and_again(channel: Channel, tags: list[int], how: Ending) -> None:
    for start in range(0, MANY * MANY, 12):
        end_all(channel, tags[start % MANY : start % MANY + 12], how)
        await asyncio.sleep(0)
