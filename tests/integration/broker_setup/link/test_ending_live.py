"""Acks, returns and rejects come to an end, also on a connection that is cut under hundreds of them."""

import asyncio

import pytest
from aiormq.abc import AbstractChannel, DeliveredMessage

from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.connection import Link, supervised
from broker_setup.link.ending import END_SECONDS, Ending, end_delivery
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


async def take_all(link: Link) -> tuple[AbstractChannel, list[int]]:
    """Have everything delivered; return the channel and the delivery tags."""
    await link.wait_up()
    channel = await (await link.channel(prefetch=MANY)).get_underlay_channel()
    tags: list[int] = []

    async def take(message: DeliveredMessage) -> None:
        tags.append(message.delivery_tag or 0)

    await channel.basic_consume(RESULTS_QUEUE, take)
    await eventually(lambda: len(tags) == MANY)
    return channel, tags


def end_all(channel: AbstractChannel, tags: list[int], how: Ending) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(end_delivery(channel, tag, how)) for tag in tags]


@pytest.mark.parametrize("how", list(Ending))
async def test_hundreds_at_once_all_reach_the_broker(declared: VHost, how: Ending) -> None:
    await fill(declared)
    link = Link(declared.amqp_url, "ending")
    async with supervised(link):
        channel, tags = await take_all(link)
        await asyncio.gather(*end_all(channel, tags[:MANY], how))
        if how is not Ending.RETURNED:
            await fill(declared)
        # There is room for that many again only if the broker has taken every one.
        await eventually(lambda: len(tags) == 2 * MANY)


@pytest.mark.parametrize("how", list(Ending))
async def test_none_waits_for_ever_on_a_connection_that_is_cut_under_them(declared: VHost, how: Ending) -> None:
    await fill(declared)
    async with proxied(declared.amqp_url) as proxy:
        link = Link(proxy.url, "ending")
        async with supervised(link):
            channel, tags = await take_all(link)
            cutting = asyncio.create_task(proxy.close())
            tasks: list[asyncio.Task[None]] = []
            for start in range(0, MANY, 12):  # more in a turn of the loop than aiormq has room for
                tasks += end_all(channel, tags[start : start + 12], how)
                await asyncio.sleep(0)
            await cutting
            _, waiting = await asyncio.wait(tasks, timeout=2 * END_SECONDS)
            assert not waiting
            errors = [error for task in tasks if (error := task.exception())]
            assert errors
            assert {type(error) for error in errors} == {BrokerUnavailableError}
