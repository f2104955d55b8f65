"""One deadline for a call: it ends what takes too long, and nothing else."""

import asyncio
import time

import pytest
import uvloop

from broker_setup.errors import BrokerUnavailableError
from gateway.leasing import deadline as module
from gateway.leasing.deadline import Patience
from tests.support.leasing import turns
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)


async def test_a_block_that_takes_too_long_is_ended_and_says_so() -> None:
    patience = Patience()
    with pytest.raises(BrokerUnavailableError, match="in time"), patience.in_time():
        await asyncio.sleep(600)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_each_has_the_time_that_it_asked_for_whichever_began_first() -> None:
    patience = Patience()
    ended = list[str]()

    async def call(name: str, extra: float) -> None:
        try:
            with patience.in_time(extra):
                await asyncio.sleep(600)
        except BrokerUnavailableError:
            ended.append(name)

    calls = [asyncio.create_task(call(*each)) for each in (("long", 600.0), ("longer", 0.4), ("short", 0.0))]
    await eventually(lambda: len(ended) == 2)
    assert ended == ["short", "longer"]
    calls[0].cancel()
    await asyncio.wait(calls)
    assert calls[0].cancelled()


async def test_what_a_block_returns_or_raises_in_time_is_its_own() -> None:
    patience = Patience()
    with patience.in_time():
        await turns()
    with pytest.raises(ValueError, match="its own"), patience.in_time():
        raise ValueError("its own")
    await eventually(lambda: not patience._slots)
    assert patience._timer is None


async def test_who_hangs_up_is_not_told_that_it_took_too_long() -> None:
    patience = Patience()

    async def call() -> None:
        with patience.in_time():
            await asyncio.sleep(600)

    calling = asyncio.create_task(call())
    await turns()
    calling.cancel()
    await asyncio.wait({calling})
    assert calling.cancelled()


async def test_who_hangs_up_in_the_moment_in_which_it_is_late_has_hung_up() -> None:
    patience = Patience()

    async def call() -> None:
        with patience.in_time():
            await asyncio.sleep(600)

    calling = asyncio.create_task(call())
    await turns()
    [slot] = patience._slots.values()
    [late] = slot
    late.end()
    calling.cancel()
    await asyncio.wait({calling})
    assert calling.cancelled()


async def test_a_loop_that_was_held_up_for_longer_than_calls_may_take_ends_them_and_takes_new_ones() -> None:
    patience = Patience()

    async def call(extra: float) -> None:
        with patience.in_time(extra):
            await asyncio.sleep(600)

    calls = [asyncio.create_task(call(extra)) for extra in (0.0, 0.1, 0.2)]
    await turns()
    time.sleep(0.4)  # noqa: ASYNC251 - the loop is held up
    async with asyncio.timeout(60):
        while not all(each.done() for each in calls):
            with patience.in_time(600.0 + len(patience._slots)):
                await turns(1)
    assert all(isinstance(each.exception(), BrokerUnavailableError) for each in calls)


def test_it_is_so_on_the_loop_that_a_gateway_has() -> None:
    loop = uvloop.new_event_loop()
    try:
        loop.run_until_complete(
            test_a_loop_that_was_held_up_for_longer_than_calls_may_take_ends_them_and_takes_new_ones()
        )
        loop.run_until_complete(test_each_has_the_time_that_it_asked_for_whichever_began_first())
    finally:
        loop.close()
