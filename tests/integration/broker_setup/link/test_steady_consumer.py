"""What a steady consumer does with the deliveries at hand when their channel is gone, and with those that follow."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aio_pika
import pytest

from broker_setup.amqp.messages import Arrival
from broker_setup.link.connection import Link, supervised
from broker_setup.link.ending import Ending
from broker_setup.link.publisher import Publisher
from broker_setup.link.settling import end_message
from broker_setup.link.steady_consumer import Steady, SteadyConsumer, SteadyTasks
from broker_setup.topology import RESULTS_QUEUE
from tests.support.broker import VHost
from tests.support.proxy import Proxy, proxied
from tests.support.publishing import publish
from tests.support.waiting import eventually


@dataclass
class Scene:
    """Two kinds of consumers behind a proxy, and what has become of their deliveries."""

    link: Link
    proxy: Proxy
    amqp_url: str
    held: list[Arrival] = field(default_factory=list)
    begun: int = 0
    cancelled: int = 0
    lost: int = 0

    def consumer(self) -> Steady:
        return SteadyConsumer(self.link, RESULTS_QUEUE, prefetch=10, received=self.held.append, lost=self.was_lost)

    def tasks(self) -> Steady:
        return SteadyTasks(self.link, RESULTS_QUEUE, prefetch=10, serve=self.serve)

    def was_lost(self) -> None:
        self.lost += 1

    async def serve(self, _: Arrival) -> None:
        self.begun += 1
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise

    async def cut(self) -> None:
        await self.proxy.close()
        await self.proxy.open()

    @asynccontextmanager
    async def delete_the_queue(self) -> AsyncIterator[None]:
        async with await aio_pika.connect(self.amqp_url) as connection:
            channel = await connection.channel()
            await channel.queue_delete(RESULTS_QUEUE)
            yield
            await channel.declare_queue(RESULTS_QUEUE, durable=True, arguments={"x-queue-type": "quorum"})


@pytest.fixture
async def scene(declared: VHost) -> AsyncIterator[Scene]:
    async with proxied(declared.amqp_url) as proxy:
        link = Link(proxy.url, "steady")
        async with supervised(link):
            yield Scene(link, proxy, declared.amqp_url)


@asynccontextmanager
async def running(consumer: Steady) -> AsyncIterator[None]:
    task = asyncio.create_task(consumer.run())
    try:
        await eventually(lambda: consumer.is_consuming)
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def publisher(declared: VHost) -> AsyncIterator[Publisher]:
    link = Link(declared.amqp_url, "beside it")
    async with supervised(link):
        await link.wait_up()
        yield Publisher(link)


async def test_a_consumer_says_that_what_is_at_hand_is_void_and_gets_it_again(
    scene: Scene, publisher: Publisher
) -> None:
    await publish(publisher)
    async with running(scene.consumer()):
        await eventually(lambda: len(scene.held) == 1)
        await scene.cut()
        await eventually(lambda: len(scene.held) == 2)
        assert scene.lost == 1
        assert [message.redelivered for message in scene.held] == [False, True]


async def test_tasks_are_cancelled_with_their_channel_and_what_they_served_comes_again(
    scene: Scene, publisher: Publisher
) -> None:
    await publish(publisher)
    async with running(scene.tasks()):
        await eventually(lambda: scene.begun == 1)
        await scene.cut()
        await eventually(lambda: scene.begun == 2)
        assert scene.cancelled == 1


@pytest.mark.parametrize("kind", [Scene.consumer, Scene.tasks])
async def test_a_queue_that_is_deleted_is_consumed_again_when_it_is_back(
    scene: Scene, kind: Callable[[Scene], Steady], caplog: pytest.LogCaptureFixture
) -> None:
    consumer = kind(scene)
    async with running(consumer):
        async with scene.delete_the_queue():
            await eventually(lambda: not consumer.is_consuming)
            await eventually(lambda: "can't consume" in caplog.text)
        await eventually(lambda: consumer.is_consuming)


async def test_a_consumer_that_stops_can_still_ack_what_is_at_hand_and_gets_nothing_new(
    scene: Scene, publisher: Publisher, count: Callable[[str], int]
) -> None:
    await publish(publisher)
    async with running(scene.consumer()):
        await eventually(lambda: len(scene.held) == 1)
    await publish(publisher)
    end_message(scene.held[0], Ending.ACKED)
    await eventually(lambda: asyncio.to_thread(count, RESULTS_QUEUE))
    assert len(scene.held) == 1


async def test_tasks_go_on_when_their_consumer_stops_and_nothing_new_is_begun(
    scene: Scene, publisher: Publisher, count: Callable[[str], int]
) -> None:
    await publish(publisher)
    async with running(scene.tasks()):
        await eventually(lambda: scene.begun == 1)
    await publish(publisher)
    await eventually(lambda: asyncio.to_thread(count, RESULTS_QUEUE))
    assert (scene.begun, scene.cancelled) == (1, 0)
