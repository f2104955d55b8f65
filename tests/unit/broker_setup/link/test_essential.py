"""A process whose essential task has ended is stopped, not left half dead; a broker's cancel is no cancel of ours."""

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.broker_calls import broker_calls
from broker_setup.link.essential import essential
from tests.support.waiting import eventually


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, how: calls.append((pid, how)))
    return calls


async def for_ever() -> None:
    await asyncio.Event().wait()


async def fails() -> None:
    raise ZeroDivisionError


async def returns() -> None:
    return


async def cancels_itself() -> None:
    raise asyncio.CancelledError


@pytest.mark.parametrize("ending", [fails, returns, cancels_itself])
async def test_an_essential_task_that_ends_by_itself_stops_the_process(
    ending: Callable[[], Coroutine[None, None, None]],
    killed: list[tuple[int, int]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with essential({"good": for_ever(), "bad": ending()}):
        for _ in range(5):
            await asyncio.sleep(0)
    assert killed == [(os.getpid(), signal.SIGTERM)]
    assert "the task 'bad' has ended" in caplog.text


async def test_a_process_that_is_not_ours_is_left_alone_and_who_asked_for_that_is_told(
    killed: list[tuple[int, int]],
) -> None:
    told: list[str] = []
    async with essential({"the one": fails()}, stop=told.append):
        await eventually(lambda: told)
    assert told == ["the task 'the one' has ended: ZeroDivisionError"]
    assert killed == []


async def fails_with_words() -> None:
    raise ValueError("no such key")


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (fails, "ZeroDivisionError"),
        (fails_with_words, "ValueError: no such key"),
        (returns, "it returned, which it never should"),
        (cancels_itself, "something cancelled it"),
    ],
)
async def test_why_a_task_has_ended_is_said_in_words_and_a_mistake_of_ours_shows_where_it_is(
    ending: Callable[[], Coroutine[None, None, None]],
    words: str,
    killed: list[tuple[int, int]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with essential({"the one": ending()}):
        await eventually(lambda: killed)
    [record] = caplog.records
    assert record.getMessage() == f"the task 'the one' has ended: {words}; stopping"
    assert (record.exc_text is not None or record.exc_info is not None) == ("Error" in words)


async def test_an_orderly_end_stops_every_task_and_kills_nobody(killed: list[tuple[int, int]]) -> None:
    async with essential({"good": for_ever()}):
        pass
    assert killed == []


async def test_a_cancel_of_ours_stays_one() -> None:
    async def call() -> None:
        with broker_calls("asking"):
            await asyncio.Event().wait()

    task = asyncio.create_task(call())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


async def test_a_time_out_within_broker_calls_is_a_lost_broker() -> None:
    with pytest.raises(BrokerUnavailableError, match="asking"), broker_calls("asking"):
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
