"""A grader that takes work and gives it back in a loop, or extends its lease in one: little of that is written."""

import pytest

from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import Extended, Released
from broker_setup.ledger.state import LedgerState
from broker_setup.ledger.state.leases import _FEW_EXPIRIES
from gateway.leasing.lease_changes import LEAST_GAIN_SECONDS, LeaseChanges
from gateway.leasing.returns import BURST_BYTES, BYTES_A_SECOND, EVENTS_BYTES, Returns, TooManyReturnsError
from tests.support.leasing import DELAY, FakeLedger, Scene, anywhere
from tests.support.ledger_events import extended, facts, id_of, leased, released, uuid_of

START = 1_000.0
CAP = 600.0
BURST = BURST_BYTES // EVENTS_BYTES


class Desk:
    def __init__(self) -> None:
        self.now = START
        self.ledger = FakeLedger()
        self.changes = LeaseChanges(
            self.ledger.as_ledger,
            lambda _: CAP,
            Returns(lambda: self.now),
            clock=lambda: self.now,
            steady=lambda: self.now,
        )

    def lease(self, number: int) -> None:
        self.ledger.happens(leased(number, self.now, f"key {number}", until=self.now + DELAY))

    async def release(self, number: int) -> None:
        await self.changes.release(id_of(number), f"key {number}", anywhere, delay=0, failed=False)

    async def extend(self, number: int, seconds: float) -> float:
        return await self.changes.extend(id_of(number), f"key {number}", seconds, anywhere)

    def written(self, kind: type) -> int:
        return sum(isinstance(event, kind) for event in self.ledger.events)


async def test_a_loop_of_leases_and_releases_is_stopped_and_the_last_lease_runs_out_by_itself() -> None:
    desk, number = Desk(), 0
    desk.lease(number)
    while not desk.changes._returns.take("openedx", "") and number < BURST:
        await desk.release(number)
        number += 1
        desk.lease(number)
    with pytest.raises(TooManyReturnsError, match="Too many submissions are given back, try again in 1 seconds"):
        await desk.release(number)
    assert desk.written(Released) <= BURST
    last = uuid_of(number)
    assert desk.ledger.state.standing(last, desk.now) is Standing.LEASED
    assert desk.ledger.state.standing(last, desk.now + DELAY) is Standing.FREE
    desk.now += 1
    await desk.release(number)


def test_large_return_addresses_count_for_what_they_are() -> None:
    returns = Returns(lambda: START)
    sealed = "x" * 100_000
    given_back = 0
    while not returns.take("openedx", sealed):
        given_back += 1
    assert given_back * len(sealed) <= BURST_BYTES + len(sealed)
    assert returns.take("other", sealed) == 0


def test_in_the_long_run_a_queue_writes_no_more_than_its_rate() -> None:
    now = START
    returns = Returns(lambda: now)
    given_back = 0
    for _ in range(36_000):
        now += 0.1
        given_back += not returns.take("openedx", "")
        given_back += not returns.take("openedx", "")
    assert given_back * EVENTS_BYTES <= BURST_BYTES + 3600 * BYTES_A_SECOND + EVENTS_BYTES


async def test_polls_whose_askers_hang_up_again_and_again_leave_their_leases_to_run_out() -> None:
    scene = Scene()
    scene.deliver(1)
    [handout] = await scene.queue.take()
    for _ in range(2 * BURST):
        scene.queue.take_back([handout])
    assert sum(isinstance(event, Released) for event in scene.ledger.events) <= BURST


async def test_an_extension_that_gains_nothing_is_answered_and_not_written() -> None:
    desk = Desk()
    desk.lease(1)
    for _ in range(100):
        assert await desk.extend(1, 0) == desk.now + DELAY
        assert await desk.extend(1, DELAY + LEAST_GAIN_SECONDS / 2) == desk.now + DELAY
    assert desk.written(Extended) == 0


async def test_however_often_a_lease_is_extended_little_of_it_is_written() -> None:
    desk = Desk()
    desk.lease(1)
    for _ in range(900):
        desk.now += CAP / 1_000
        ends_at = await desk.extend(1, DELAY)
        assert ends_at >= min(desk.now + DELAY, START + CAP) - LEAST_GAIN_SECONDS - 0.001
    assert desk.written(Extended) <= CAP / LEAST_GAIN_SECONDS


def test_what_a_lease_was_once_to_end_at_is_not_kept() -> None:
    state = LedgerState()
    state.apply(leased(1, START, "key", until=START + 1e6))
    for number in range(5 * _FEW_EXPIRIES):
        state.apply(extended(1, START, "key", until=START + 1e6 + number))
    assert len(facts(state)["_expiries"]) <= 2 * _FEW_EXPIRIES
    for number in range(5 * _FEW_EXPIRIES):
        state.apply(leased(2, START, f"key {number}", until=START + 1e6))
        state.apply(released(2, START, f"key {number}"))
    assert len(facts(state)["_expiries"]) <= 2 * _FEW_EXPIRIES
    # Each ends once, at the last of its times.
    state.apply(leased(2, START, "last", until=START + 2e6))
    assert not state.run_out(START + 1e6)
    assert [lease.submission for lease in state.run_out(START + 3e6)] == [uuid_of(1), uuid_of(2)]
