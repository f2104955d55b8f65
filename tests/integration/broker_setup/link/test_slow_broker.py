"""A broker that is slow to answer: what we give up waiting for must not cost the connection and what is held on it."""

import asyncio

from broker_setup.link.broker_calls import CHANNEL_CLOSE_SECONDS, close_channel
from broker_setup.link.connection import Link, supervised
from tests.support.broker import VHost
from tests.support.proxy import proxied
from tests.support.waiting import eventually


async def test_a_channel_that_is_slow_to_close_leaves_the_others_of_its_connection_open(declared: VHost) -> None:
    async with proxied(declared.amqp_url) as proxy:
        link = Link(proxy.url, "slow")
        async with supervised(link), asyncio.timeout(60):
            await link.wait_up()
            holding, closing = await link.channel(), await link.channel()
            proxy.freeze()
            began = asyncio.get_running_loop().time()
            await close_channel(closing)
            assert asyncio.get_running_loop().time() - began < CHANNEL_CLOSE_SECONDS + 1
            proxy.thaw()
            # The broker answers in order: had it anything against what was sent before, this would fail.
            await holding.set_prefetch(1)
            await close_channel(await link.channel())
            assert not holding.is_closed


async def test_a_closing_whose_caller_is_cancelled_goes_on(declared: VHost) -> None:
    async with proxied(declared.amqp_url) as proxy:
        link = Link(proxy.url, "slow")
        async with supervised(link), asyncio.timeout(60):
            await link.wait_up()
            holding, closing = await link.channel(), await link.channel()
            proxy.freeze()
            caller = asyncio.create_task(close_channel(closing))
            await asyncio.wait({caller}, timeout=0.2)
            caller.cancel()
            await asyncio.wait({caller})
            assert caller.cancelled()
            proxy.thaw()
            await holding.set_prefetch(1)
            assert not holding.is_closed


async def test_closing_a_channel_that_has_gone_with_its_connection_is_no_error(declared: VHost) -> None:
    link = Link(declared.amqp_url, "gone")
    async with supervised(link), asyncio.timeout(60):
        await link.wait_up()
        channel = await link.channel()
        link.drop("the test says so")
        await close_channel(channel)
        await eventually(lambda: channel.is_closed)
