"""A channel's questions and the broker's answers, which say nothing of what they answer."""

import asyncio

import pytest
from pamqp import commands

from broker_setup.amqp.channel import Channel
from broker_setup.amqp.frames import HEAD_BYTES, method_frame
from tests.support.waiting import PATIENCE_SECONDS


class Wire:
    """A connection that goes nowhere."""

    name = "wire"
    frame_max = 4096

    def __init__(self) -> None:
        self.sent: list[bytes | memoryview] = []

    def send(self, *pieces: bytes | memoryview) -> None:
        self.sent += pieces

    def begin_close(self, channel: Channel) -> asyncio.Future[None]:
        raise AssertionError

    def forget(self, channel: Channel) -> None:
        raise AssertionError


async def test_what_can_not_be_asked_leaves_each_answer_to_its_question() -> None:
    wire = Wire()
    channel = Channel(wire, 1)
    for queue in ("\u00e9" * 200, "\udc80"):
        with pytest.raises((TypeError, ValueError)):
            await channel.count_ready(queue)
    assert wire.sent == []
    asked = asyncio.create_task(channel.count_ready("one"))
    await asyncio.sleep(0)
    channel.on_method(method_frame(1, commands.Queue.DeclareOk("one", 7, 0))[HEAD_BYTES:-1])
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await asked == 7
