"""A command that finds no room on its connection goes out late, or ends with its channel; nobody waits for ever."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.link import ending
from broker_setup.link.ending import Ending, end_delivery


class FullChannel:
    """A channel on whose connection one frame waits already, which is all that there is room for."""

    def __init__(self) -> None:
        self.connection = SimpleNamespace(write_queue=asyncio.Queue(1))
        self.connection.write_queue.put_nowait("another's")
        self.closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def basic_ack(self, tag: int, **_: Any) -> None:
        await self.connection.write_queue.put(tag)

    async def next_frame(self) -> object:
        async with asyncio.timeout(60):
            return await self.connection.write_queue.get()


def ack(channel: Any) -> asyncio.Task[None]:
    return asyncio.create_task(end_delivery(channel, 7, Ending.ACKED))


async def test_it_goes_out_when_there_is_room() -> None:
    channel = FullChannel()
    acking = ack(channel)
    assert await channel.next_frame() == "another's"
    assert await channel.next_frame() == 7
    await acking


async def test_it_ends_when_its_channel_is_closed() -> None:
    channel = FullChannel()
    acking = ack(channel)
    await asyncio.sleep(0)
    channel.closing.set_result(None)
    with pytest.raises(BrokerUnavailableError):
        async with asyncio.timeout(ending.END_SECONDS / 2):
            await acking


async def test_a_broker_that_does_not_read_gets_it_later_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "END_SECONDS", 0.05)
    channel = FullChannel()
    with pytest.raises(BrokerUnavailableError):
        await ack(channel)
    assert await channel.next_frame() == "another's"
    assert await channel.next_frame() == 7


async def test_what_was_left_behind_ends_with_its_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending, "END_SECONDS", 0.05)
    channel = FullChannel()
    before = asyncio.all_tasks()
    with pytest.raises(BrokerUnavailableError):
        await ack(channel)
    (left,) = asyncio.all_tasks() - before
    channel.closing.set_result(None)
    async with asyncio.timeout(60):
        await asyncio.wait({left})
    assert left.cancelled()
