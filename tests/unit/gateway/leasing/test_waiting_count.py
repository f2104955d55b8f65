"""Counting what waits: in the broker, here, without what was superseded, and in time."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from types import SimpleNamespace
from typing import Any

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.heard import steady
from broker_setup.ledger.state import LedgerState
from gateway.leasing.waiting_count import FOLLOWED_SECONDS, FRESH_SECONDS, WaitingCount
from tests.support.ledger_events import submitted, superseded


class FakeBroker:
    """A link and its channel in one: says what it is told, or nothing at all."""

    def __init__(self, ready: int = 0) -> None:
        self.ready = ready
        self.speaks = asyncio.Event()
        self.speaks.set()
        self.is_closed = False
        self.opened = 0
        self.asked = 0

    async def channel(self) -> "FakeBroker":
        self.opened += 1
        self.is_closed = False
        return self

    async def count_ready(self, _: str) -> int:
        self.asked += 1
        await self.speaks.wait()
        return self.ready


def counts(
    broker: FakeBroker,
    waiting_here: int = 0,
    state: LedgerState | None = None,
    clock: Callable[[], float] = steady,
) -> WaitingCount:
    link: Any = broker
    queues: Any = {"openedx": SimpleNamespace(waiting_here=waiting_here)}
    return WaitingCount(link, queues, state or LedgerState(), clock)


async def test_what_waits_in_the_broker_and_here_is_counted_over_one_channel() -> None:
    broker = FakeBroker(ready=5)
    mine = counts(broker, waiting_here=2)
    assert [await mine.of("openedx") for _ in range(3)] == [7, 7, 7]
    assert broker.opened == 1
    broker.is_closed = True
    assert await mine.of("openedx") == 7
    assert broker.opened == 2


async def test_what_was_superseded_and_is_still_in_the_broker_does_not_count() -> None:
    state = LedgerState()
    mine = counts(FakeBroker(ready=3), state=state)
    for number in (1, 2, 3):
        state.apply(submitted(number, number * 5))
    assert await mine.of("openedx") == 1
    state.apply(superseded(1, 20, by=2))
    assert await mine.of("openedx") == 2


async def test_it_never_counts_below_zero_while_broker_and_ledger_are_out_of_step() -> None:
    state = LedgerState()
    for number in (1, 2):
        state.apply(submitted(number, number * 5))
    assert await counts(FakeBroker(ready=0), state=state).of("openedx") == 0


async def test_nobody_waits_longer_for_a_silent_broker_than_he_would_alone() -> None:
    broker = FakeBroker()
    broker.speaks.clear()
    mine = counts(broker)

    async def ask(after: float) -> float:
        await asyncio.sleep(after)
        start = monotonic()
        with pytest.raises(BrokerUnavailableError):
            await mine.of("openedx", within=0.3)
        return monotonic() - start

    async def longest() -> float:
        return max(await asyncio.gather(*(ask(number * 0.05) for number in range(6))))

    # A machine that stands still for a moment makes one try slow; waiting for two answers makes each of them.
    assert min([await longest() for _ in range(3)]) < 0.5
    broker.speaks.set()
    assert await mine.of("openedx") == 0


# What a submit is told.


async def after_submit(mine: WaitingCount) -> int:
    at_hand = mine.at_hand("openedx")
    return await mine.of("openedx") if at_hand is None else at_hand


async def one_after_another(mine: WaitingCount, broker: FakeBroker) -> int:
    with mine.submitting("openedx"):
        broker.ready += 1
    return await after_submit(mine)


async def test_a_submit_that_comes_alone_is_told_what_the_broker_says_however_soon_it_comes() -> None:
    broker = FakeBroker()
    mine = counts(broker, clock=lambda: 0.0)
    assert await one_after_another(mine, broker) == 1
    broker.ready = 0  # handed out at once
    assert await one_after_another(mine, broker) == 1, "none too high"
    assert await one_after_another(mine, broker) == 2
    broker.ready = 20
    assert await one_after_another(mine, broker) == 21, "of another gateway's too"
    assert broker.asked == 4


async def test_submits_that_come_together_ask_the_broker_once_in_a_moment_and_count_up() -> None:
    now = 0.0
    broker = FakeBroker(ready=4)
    mine = counts(broker, waiting_here=1, clock=lambda: now)
    with mine.submitting("openedx"):  # another one, all the time
        assert [await one_after_another(mine, broker) for _ in range(3)] == [6, 7, 8]
        assert broker.asked == 1
        broker.ready = 100
        now += FRESH_SECONDS
        assert [await one_after_another(mine, broker) for _ in range(2)] == [102, 103]
        assert broker.asked == 2


async def test_before_a_count_is_too_old_the_next_is_asked_for_once_and_nobody_waits_for_it() -> None:
    now = 0.0
    broker = FakeBroker(ready=4)
    mine = counts(broker, clock=lambda: now)
    with mine.submitting("openedx"):
        assert await one_after_another(mine, broker) == 5
        now = FOLLOWED_SECONDS
        broker.speaks.clear()
        assert [await one_after_another(mine, broker) for _ in range(3)] == [6, 7, 8]
        broker.ready, now = 100, 2 * FOLLOWED_SECONDS - 0.001
        broker.speaks.set()
        for _ in range(10):  # rounds of the event loop, of which the answer takes some
            await asyncio.sleep(0)
        assert await one_after_another(mine, broker) == 101
        assert broker.asked == 2


async def test_a_submit_that_was_under_way_when_the_broker_was_asked_is_not_counted_twice() -> None:
    broker = FakeBroker(ready=4)
    mine = counts(broker, clock=lambda: 0.0)
    with mine.submitting("openedx"):
        with mine.submitting("openedx"):
            broker.ready += 1  # stored, though this side has not heard of it
            assert await after_submit(mine) == 5
        assert await after_submit(mine) == 5
    assert broker.asked == 1


async def test_a_submit_that_failed_and_one_to_another_queue_are_not_counted() -> None:
    broker = FakeBroker(ready=4)
    mine = counts(broker, clock=lambda: 0.0)
    with mine.submitting("openedx"):
        assert await after_submit(mine) == 4
        with suppress(BrokerUnavailableError), mine.submitting("openedx"):
            raise BrokerUnavailableError
        with mine.submitting("other"):
            pass
        assert await after_submit(mine) == 4


async def test_after_submits_that_came_together_the_next_is_told_the_brokers_count_again() -> None:
    broker = FakeBroker(ready=4)
    mine = counts(broker, clock=lambda: 0.0)
    with mine.submitting("openedx"):
        assert await one_after_another(mine, broker) == 5
    broker.ready = 7
    assert await one_after_another(mine, broker) == 8


async def test_get_queuelen_is_told_the_brokers_count_also_among_submits() -> None:
    broker = FakeBroker(ready=4)
    mine = counts(broker, clock=lambda: 0.0)
    with mine.submitting("openedx"):
        assert await after_submit(mine) == 4
        broker.ready = 0
        assert await mine.of("openedx") == 0
