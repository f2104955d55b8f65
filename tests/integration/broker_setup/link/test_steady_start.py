"""A steady consumer waits for no answer for ever."""

import asyncio
from typing import TYPE_CHECKING

import pytest

from broker_setup.amqp.channel import Channel
from broker_setup.link import steady_consumer
from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.link.steady_consumer import SteadyConsumer
from broker_setup.topology import RESULTS_QUEUE
from tests.support.broker import VHost
from tests.support.proxy import Proxy, proxied
from tests.support.publishing import publish
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from broker_setup.amqp.messages import Arrival


class Unlucky(SteadyConsumer):
    """Its broker stops answering when it is about to consume for the first time."""

    proxy: Proxy | None = None

    async def prepare(self, channel: Channel) -> None:
        if self.proxy:
            self.proxy.freeze()
        self.proxy = None


async def test_a_broker_that_does_not_answer_when_it_begins_is_asked_again(
    declared: VHost, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(steady_consumer, "START_SECONDS", 0.3)
    received: list[Arrival] = []
    async with proxied(declared.amqp_url) as proxy:
        link, other = Link(proxy.url, "unlucky"), Link(declared.amqp_url, "lucky")
        consumer = Unlucky(link, RESULTS_QUEUE, prefetch=1, received=received.append)
        consumer.proxy = proxy
        async with supervised(link, other):
            await other.wait_up()
            await publish(Publisher(other))
            consuming = asyncio.create_task(consumer.run())
            await eventually(lambda: "the broker does not answer in time" in caplog.text)
            monkeypatch.undo()
            proxy.thaw()
            await eventually(lambda: received)
            consuming.cancel()
            await asyncio.wait({consuming})
