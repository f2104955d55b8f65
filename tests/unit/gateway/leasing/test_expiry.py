"""Leases that run out: given back once, by whoever holds them, and never under a result that is on its way."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker_setup.ledger.answers import Lease
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.state import LedgerState
from gateway.leasing import lease_changes as module
from gateway.leasing.lease_changes import return_expired
from tests.support.ledger_events import extended, graded, leased, released, uuid_of


class FakeQueue:
    """Notes whose deliveries it should give back."""

    def __init__(self) -> None:
        self.ended: list[Lease] = []
        self.held = self  # where a course queue keeps its deliveries

    def ran_out(self, lease: Lease) -> None:
        self.ended.append(lease)

    @property
    def submissions(self) -> list[bytes]:
        return [lease.submission for lease in self.ended]


class FakeResults:
    """Says of which submissions a result is on its way."""

    def __init__(self) -> None:
        self.under_way: set[bytes] = set()

    def is_under_way(self, submission: bytes) -> bool:
        return submission in self.under_way


class Watch:
    """The watch over the leases, with a clock that stands still until told."""

    def __init__(self, *events: AnyEvent) -> None:
        self.now = 0.0
        self.looks = 0
        self.state = LedgerState()
        for event in events:
            self.state.apply(event)
        self.queues = {"openedx": FakeQueue(), "other": FakeQueue()}
        self.results = FakeResults()

    def clock(self) -> float:
        self.looks += 1
        return self.now

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        queues: Any = self.queues
        results: Any = self.results
        task = asyncio.create_task(return_expired(self.state, queues, results, self.clock))
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
        assert task.cancelled(), "the watch ended by itself"

    async def at(self, now: float) -> None:
        """Let it be so late, and let the watch look twice."""
        self.now = now
        looks = self.looks
        async with asyncio.timeout(60):
            while self.looks < looks + 2:
                await asyncio.sleep(0)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)


async def test_a_lease_that_ran_out_is_given_back_once_and_by_the_queue_that_has_it() -> None:
    watch = Watch(leased(1, 0, "a", until=60), leased(2, 0, "b", until=60, queue="other"), leased(3, 0, "c", until=90))
    async with watch.running():
        await watch.at(59)
        assert watch.queues["openedx"].ended == []
        await watch.at(60)
        await watch.at(70)
        assert watch.queues["openedx"].submissions == [uuid_of(1)]
        assert watch.queues["other"].submissions == [uuid_of(2)]
        await watch.at(90)
        assert watch.queues["openedx"].submissions == [uuid_of(1), uuid_of(3)]


async def test_a_lease_of_a_queue_that_the_settings_name_no_more_is_passed_over() -> None:
    watch = Watch(leased(1, 0, "a", until=60, queue="gone"), leased(2, 0, "b", until=61))
    async with watch.running():
        await watch.at(62)
        assert watch.queues["openedx"].submissions == [uuid_of(2)]


async def test_a_lease_does_not_run_out_while_its_result_is_on_its_way() -> None:
    watch = Watch(leased(1, 0, "a", until=60))
    watch.results.under_way = {uuid_of(1)}
    async with watch.running():
        await watch.at(100)
        assert watch.queues["openedx"].ended == []
        watch.state.apply(graded(1, 100, "a"))
        watch.results.under_way.clear()
        await watch.at(101)
        assert watch.queues["openedx"].ended == []


async def test_a_lease_whose_result_did_not_arrive_runs_out_then_and_once() -> None:
    watch = Watch(leased(1, 0, "a", until=60))
    watch.results.under_way = {uuid_of(1)}
    async with watch.running():
        await watch.at(100)
        watch.results.under_way.clear()
        await watch.at(101)
        await watch.at(102)
        assert watch.queues["openedx"].submissions == [uuid_of(1)]


async def test_the_expiry_of_an_old_lease_does_not_end_the_one_that_came_while_it_was_looked_at() -> None:
    watch = Watch(leased(1, 0, "old", until=60))
    watch.results.under_way = {uuid_of(1)}
    async with watch.running():
        await watch.at(61)
        watch.state.apply(leased(1, 61, "new", until=120))
        watch.results.under_way.clear()
        await watch.at(62)
        assert watch.queues["openedx"].ended == []
        await watch.at(120)
        assert [lease.expires_at for lease in watch.queues["openedx"].ended] == [120]


async def test_an_extended_lease_runs_out_at_its_new_end() -> None:
    watch = Watch(leased(1, 0, "a", until=60))
    async with watch.running():
        watch.state.apply(extended(1, 50, "a", until=120))
        await watch.at(119)
        assert watch.queues["openedx"].ended == []
        await watch.at(120)
        assert watch.queues["openedx"].submissions == [uuid_of(1)]


async def test_a_released_submission_goes_back_when_its_delay_is_over() -> None:
    watch = Watch(leased(1, 0, "a", until=60), released(1, 5, "a", available_at=20))
    async with watch.running():
        await watch.at(19)
        assert watch.queues["openedx"].ended == []
        await watch.at(20)
        await watch.at(60)
        assert watch.queues["openedx"].submissions == [uuid_of(1)]


Change = Callable[[int, float], AnyEvent]
changes: st.SearchStrategy[Change] = st.sampled_from(
    [
        lambda number, at: leased(number, at, f"key {number} {at}", until=at + 10),
        lambda number, at: extended(number, at, f"key {number} {at - 1}", until=at + 10),
        lambda number, at: released(number, at, f"key {number} {at - 1}", available_at=at + 3),
        lambda number, at: graded(number, at, f"key {number} {at - 1}"),
    ],
)


@given(st.lists(st.tuples(changes, st.integers(1, 3), st.booleans()), max_size=40))
def test_whatever_happens_to_leases_each_end_is_told_once_and_none_is_forgotten(
    story: list[tuple[Change, int, bool]],
) -> None:
    state = LedgerState()
    told: list[Lease] = []
    for at, (change, number, looks) in enumerate(story):
        state.apply(change(number, at))
        if looks:
            told += state.run_out(at)
    told += state.run_out(10_000)
    assert all(lease.expires_at <= 10_000 for lease in told)
    assert len(told) == len({(lease.submission, lease.key, lease.expires_at) for lease in told})
    for number in (1, 2, 3):
        newest = state.lease_of(uuid_of(number))
        assert newest is None or told.count(newest) == 1
