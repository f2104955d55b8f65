"""A consumer whose queue an operator pauses, and whose broker does not always say."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from broker_setup.errors import BrokerUnavailableError
from gateway.leasing import consumer as module
from gateway.leasing.consumer import SubmissionsConsumer
from gateway.leasing.deliveries import Deliveries


class Broker:
    """Link and channel in one."""

    def __init__(self) -> None:
        self.on_closed: set[Any] = set()
        self.on_cancelled: set[Any] = set()
        self.is_up = True
        self.consumers = 0
        self.says: bool | None = False  # whether the queue is paused; None: nothing
        self.looks = 0

    async def channel(self) -> "Broker":
        return self

    async def set_prefetch(self, number: int) -> None:
        pass

    async def consume(self, _: str, on_message: object) -> str:
        self.consumers += 1
        return f"consumer {self.looks}"

    async def cancel(self, tag: str) -> None:
        self.consumers -= 1

    async def close(self) -> None:
        pass

    async def is_paused(self) -> bool:
        self.looks += 1
        if self.says is None:
            raise BrokerUnavailableError("the broker does not say whether the queue is paused")
        return self.says


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0)


async def test_it_ends_while_the_queue_is_paused_and_goes_on_as_the_broker_last_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "RETRY_SECONDS", 0.0)
    broker, deliveries = Broker(), Deliveries()
    link: Any = broker
    consumer = SubmissionsConsumer(
        link, "queue", deliveries, received=lambda _: None, give_back=lambda: None, is_paused=broker.is_paused
    )
    running = asyncio.create_task(consumer.run())
    poll = asyncio.create_task(deliveries.wait(600))
    broker.says = None
    consumer.demand(1)
    await until(lambda: broker.looks > 2)
    assert not broker.consumers, "who knows nothing hands nothing out"
    assert "does not say" in consumer.failure

    broker.says = False
    await until(lambda: consumer.is_consuming)
    broker.says = None
    looks = broker.looks
    consumer.look_again()
    await until(lambda: broker.looks > looks)
    assert consumer.is_consuming, "it was not paused"

    broker.says = True
    consumer.look_again()
    await until(lambda: consumer.pause.is_paused_lately and not consumer.is_consuming)
    await poll  # to be told that there is nothing
    assert broker.consumers == 0
    poll = asyncio.create_task(deliveries.wait(600))
    await asyncio.sleep(0)

    broker.says = False
    consumer.look_again()
    await until(lambda: consumer.is_consuming)
    assert not consumer.pause.is_paused_lately
    for task in (poll, running):
        task.cancel()
    await asyncio.wait({poll, running})
