"""Whoever settles a delivery stores first, pauses where that failed, and leaves to the broker what is void."""

import asyncio
from errno import EMFILE
from typing import Any

import pytest

from broker_setup.amqp.errors import ChannelClosedError
from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BadMessageError, BrokerUnavailableError, MistakeError, UnroutableError
from broker_setup.link import settling
from broker_setup.link.ending import Ending
from broker_setup.link.settling import despite_mistakes, end_message, ending_after, until_stored


class ClosedChannel:
    """A channel on which nothing can be said any more."""

    def ack(self, *_: object, **__: object) -> None:
        raise ChannelClosedError("the channel is closed")

    give_back = reject = ack


class Tries:
    """Something to be stored that fails with each of `errors` in turn, before it is."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)

    async def store(self) -> str:
        if self.errors:
            raise self.errors.pop(0)
        return "stored"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    taken: list[float] = []

    async def take(seconds: float) -> None:
        taken.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", take)
    return taken


async def test_a_delivery_whose_channel_has_closed_is_left_to_the_broker() -> None:
    for how in Ending:
        channel: Any = ClosedChannel()
        end_message(Arrival(channel=channel, consumer_tag="ctag", delivery_tag=1), how)


async def test_what_is_stored_is_acked_without_a_pause(pauses: list[float]) -> None:
    assert await ending_after(Tries().store(), failed="it failed") is Ending.ACKED
    assert pauses == []


@pytest.mark.parametrize("error", [BrokerUnavailableError("away"), RuntimeError("a mistake of ours")])
async def test_what_is_not_stored_goes_back_after_a_pause_and_the_log_says_why(
    error: Exception, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    assert await ending_after(Tries(error).store(), failed="queue q: not parked") is Ending.RETURNED
    assert pauses == [settling.PAUSE_SECONDS]
    assert "queue q: not parked, and comes again" in caplog.text
    assert str(error) in caplog.text


async def test_what_has_to_be_stored_is_tried_until_it_is_with_a_pause_between_two_tries(pauses: list[float]) -> None:
    tries = Tries(BrokerUnavailableError("away"), UnroutableError("no queue"), BrokerUnavailableError("away"))
    assert await until_stored(tries.store, whose="queue q") == "stored"
    assert pauses == [settling.PAUSE_SECONDS] * 3


async def test_what_does_not_pass_by_itself_is_not_tried_again(pauses: list[float]) -> None:
    with pytest.raises(BadMessageError):
        await until_stored(Tries(BadMessageError("no", b"")).store, whose="q", passing=(BrokerUnavailableError,))
    assert pauses == []


async def test_what_fails_for_no_known_reason_is_tried_a_few_times_and_then_said_to_be_a_mistake(
    pauses: list[float],
) -> None:
    passing = Tries(*[RuntimeError("odd")] * (settling.TRIES_DESPITE_MISTAKES - 1))
    assert await despite_mistakes(passing.store, whose="queue q") == "stored"
    with pytest.raises(MistakeError, match="RuntimeError"):
        await despite_mistakes(Tries(*[RuntimeError("odd")] * 9).store, whose="queue q")
    assert len(pauses) == 2 * (settling.TRIES_DESPITE_MISTAKES - 1)


@pytest.mark.parametrize("error", [BrokerUnavailableError("away"), MemoryError(), OSError(EMFILE, "too many files")])
async def test_what_the_broker_or_this_machine_lacks_is_no_mistake(error: Exception, pauses: list[float]) -> None:
    with pytest.raises(type(error)):
        await despite_mistakes(Tries(error).store, whose="queue q")
    assert pauses == []
