"""What the broker's answer means for whoever asks whether a queue is paused."""

import asyncio
from typing import Any

import pytest

from broker_setup.amqp.errors import ACCESS_REFUSED, NOT_FOUND, ChannelClosedError
from broker_setup.errors import BrokerUnavailableError
from broker_setup.link import pauses as module
from broker_setup.link.pauses import Pauses
from broker_setup.topology import paused_queue

MISSING = ChannelClosedError("NOT_FOUND - no queue 'xqueue.paused.openedx' in vhost '/'", NOT_FOUND)
DOWN = ChannelClosedError("NOT_FOUND - queue 'xqueue.paused.openedx' in vhost '/' process is stopped", NOT_FOUND)
FORBIDDEN = ChannelClosedError("ACCESS_REFUSED - configure access to queue refused", ACCESS_REFUSED)


class Broker:
    """Link and channel in one; it answers what it is told to."""

    def __init__(self, *answers: int | Exception | None) -> None:
        self.answers = list(answers)
        self.opened = self.closed = 0
        self.is_closed = False

    async def channel(self) -> "Broker":
        self.opened += 1
        self.is_closed = False
        return self

    async def count_ready(self, _: str) -> int:
        answer = self.answers.pop(0)
        if answer is None:
            await asyncio.sleep(3600)
        if isinstance(answer, Exception):
            self.is_closed = True
            raise answer
        assert answer is not None
        return answer

    async def close(self) -> None:
        self.closed += 1
        self.is_closed = True


def asked(broker: Broker) -> Pauses:
    link: Any = broker
    return Pauses(link, paused_queue)


async def test_a_queue_is_paused_while_something_lies_there_and_one_channel_is_enough() -> None:
    broker = Broker(0, 2, 1, 0)
    pauses = asked(broker)
    assert [await pauses.is_paused("openedx") for _ in range(4)] == [False, True, True, False]
    assert broker.opened == 1


@pytest.mark.parametrize("refusal", [MISSING, FORBIDDEN])
async def test_what_says_nothing_pauses_nothing_and_is_asked_again_when_it_is_there(
    refusal: Exception,
) -> None:
    broker = Broker(refusal, 2)
    pauses = asked(broker)
    assert [await pauses.is_paused("openedx") for _ in range(3)] == [False, False, False]
    assert broker.answers == [2]
    pauses.declared("openedx")
    assert await pauses.is_paused("openedx")


@pytest.mark.parametrize("answer", [DOWN, ChannelClosedError("the connection is gone"), None])
async def test_a_broker_that_does_not_say_is_no_answer(
    answer: Exception | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.01)
    broker = Broker(answer, 1)
    pauses = asked(broker)
    with pytest.raises(BrokerUnavailableError, match="whether the queue is paused"):
        await pauses.is_paused("openedx")
    assert broker.is_closed
    assert await pauses.is_paused("openedx")
    assert broker.opened == 2
