"""A parked submission is redriven: it waits again, whatever is written late or twice, and only if it was parked."""

from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.state import LedgerState
from broker_setup.ledger.state.closed import CLOSED_SECONDS
from tests.support.examples import examples
from tests.support.ledger_events import (
    facts,
    graded,
    leased,
    parked,
    redriven,
    retired,
    snapshot,
    state_after,
    submitted,
    superseded,
    uuid_of,
)

LIFE: list[AnyEvent] = [submitted(1, 0), leased(1, 1, "k"), parked(1, 70)]


def standing(state: LedgerState, at: float = 1_000, *, copy: int = 0) -> Standing:
    return state.standing(uuid_of(1), at, copy)


def test_a_redriven_one_is_free_from_then_on_and_its_attempts_begin_anew() -> None:
    state = state_after(*LIFE, redriven(1, 100))
    assert standing(state, 100) is Standing.FREE
    assert not state.is_parked(uuid_of(1))
    assert state.apply(leased(1, 101, "l")).valid
    assert standing(state, 101) is Standing.LEASED


@pytest.mark.parametrize("closing", [graded(1, 70, "k"), retired(1, 70), superseded(1, 70, by=2)])
def test_what_left_in_another_way_stays_closed(closing: AnyEvent) -> None:
    state = state_after(*LIFE[:2], closing)
    assert not state.apply(redriven(1, 100)).valid
    assert standing(state) is Standing.CLOSED
    assert standing(state, copy=1) is Standing.CLOSED


def test_what_was_retired_after_it_was_parked_stays_closed() -> None:
    state = state_after(*LIFE, retired(1, 80), parked(1, 81))
    assert not state.apply(redriven(1, 100)).valid
    assert standing(state) is Standing.CLOSED


@pytest.mark.parametrize("again", LIFE)
def test_what_was_written_before_and_comes_once_more_changes_nothing(again: AnyEvent) -> None:
    state = state_after(*LIFE, redriven(1, 100))
    assert state.apply(again).gone == ()
    assert standing(state) is Standing.FREE


def test_a_parking_that_is_written_after_the_redrive_is_void() -> None:
    state = state_after(*LIFE[:2], redriven(1, 100))
    assert not state.apply(parked(1, 70)).valid
    assert standing(state) is Standing.FREE


def test_it_can_be_parked_and_redriven_again() -> None:
    state = state_after(*LIFE, redriven(1, 100), leased(1, 101, "l"), parked(1, 170, redriven=1))
    assert standing(state) is Standing.CLOSED
    assert standing(state, copy=1) is Standing.CLOSED
    assert state.apply(redriven(1, 180)).valid  # the first one, once more
    assert standing(state) is Standing.CLOSED
    state.apply(redriven(1, 200, 2))
    assert standing(state) is Standing.FREE


def test_a_copy_that_comes_before_its_redrive_was_read_is_no_debris() -> None:
    state = state_after(*LIFE)
    assert standing(state) is Standing.CLOSED
    assert standing(state, copy=1) is Standing.FREE


def test_a_result_of_before_is_not_taken_for_the_new_lease() -> None:
    state = state_after(*LIFE, redriven(1, 100), leased(1, 101, "l"))
    assert not state.apply(leased(1, 1, "k")).valid
    assert state.lease_of(uuid_of(1)) is not None


def test_a_newer_answer_of_the_student_supersedes_a_redriven_one() -> None:
    state = state_after(*LIFE, redriven(1, 100), submitted(2, 200))
    assert standing(state) is Standing.SUPERSEDED


def test_one_of_which_nothing_else_is_known_is_free() -> None:
    state = state_after(redriven(1, 100, 3))
    assert standing(state) is Standing.FREE
    assert not state.apply(parked(1, 70, redriven=2)).valid


def test_what_is_settled_after_a_redrive_is_forgotten_after_a_day() -> None:
    state = state_after(*LIFE, redriven(1, 100), leased(1, 101, "l"), graded(1, 102, "l"), parked(3, 103))
    assert standing(state) is Standing.CLOSED
    state.apply(graded(2, CLOSED_SECONDS * 2, "k"))
    assert (facts(state)["_redrives"], facts(state)["_parked"]) == ({}, {})


# Any order of what gateways, an operator who is interrupted, and the ledger do.


@dataclass
class Gateway:
    state: LedgerState = field(default_factory=state_after)
    read: int = 0
    held: list[int] = field(default_factory=list)  # copies, by the number of their redrive
    outbox: list[AnyEvent] = field(default_factory=list)

    def standing(self, now: float) -> Standing:
        return self.state.standing(uuid_of(1), now, max(self.held, default=0))


class Redriving(RuleBasedStateMachine):
    """One submission, its copies in the course queue and the parked queue, two gateways that lag, one operator."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 100.0
        self.log: list[AnyEvent] = [submitted(1, 99)]
        self.truth = state_after(*self.log)
        self.ready = [0]
        self.parked_queue: list[int] = []
        self.gateways = [Gateway(), Gateway()]

    @rule(g=st.integers(0, 1))
    def receive(self, g: int) -> None:
        if self.ready:
            self.gateways[g].held.append(self.ready.pop(0))
            self._let_go_of_debris(self.gateways[g])

    @rule(g=st.integers(0, 1))
    def read_one(self, g: int) -> None:
        gateway = self.gateways[g]
        if gateway.read < len(self.log):
            event = self.log[gateway.read]
            gateway.read += 1
            if gateway.state.apply(event).gone:
                self._let_go_of_debris(gateway)

    @rule(g=st.integers(0, 1))
    def lose_the_channel(self, g: int) -> None:
        self.ready += self.gateways[g].held
        self.gateways[g].held.clear()

    @rule(g=st.integers(0, 1), crash=st.sampled_from(["never", "after the copy"]))
    def park(self, g: int, crash: str) -> None:
        gateway = self.gateways[g]
        if gateway.held and gateway.standing(self.now) is Standing.FREE:
            copy = max(gateway.held)
            self.parked_queue.append(copy)
            if crash != "never":
                self.ready += gateway.held
            else:
                gateway.outbox.append(parked(1, self.now, redriven=copy))
            gateway.held.clear()

    @rule(g=st.integers(0, 1))
    def write(self, g: int) -> None:
        if self.gateways[g].outbox:
            self._write(self.gateways[g].outbox.pop(0))

    @rule(g=st.integers(0, 1))
    def lease_and_grade(self, g: int) -> None:
        gateway = self.gateways[g]
        if gateway.held and gateway.standing(self.now) is Standing.FREE and self._write(leased(1, self.now, "k")):
            self._write(graded(1, self.now, "k"))

    @precondition(lambda self: self.parked_queue)
    @rule(crash=st.sampled_from(["never", "after the event", "after the copy"]))
    def redrive(self, crash: str) -> None:
        copy = self.parked_queue[0]
        self._write(redriven(1, self.now, copy + 1))
        if crash != "after the event":
            self.ready.append(copy + 1)
            if crash == "never":
                self.parked_queue.pop(0)

    @rule()
    def time_passes(self) -> None:
        self.now += 30

    @invariant()
    def what_is_not_closed_is_somewhere(self) -> None:
        if self.truth.standing(uuid_of(1), self.now) is not Standing.CLOSED:
            assert self.ready or self.parked_queue or any(gateway.held for gateway in self.gateways)

    @invariant()
    def what_is_parked_is_in_the_parked_queue_or_on_its_way(self) -> None:
        if self.truth.is_parked(uuid_of(1)):
            assert self.parked_queue

    @invariant()
    def reading_twice_changes_nothing(self) -> None:
        twice = state_after(*self.log, *self.log)
        assert snapshot(twice) == snapshot(self.truth)

    def _write(self, event: AnyEvent) -> bool:
        self.log.append(event)
        return self.truth.apply(event).valid

    def _let_go_of_debris(self, gateway: Gateway) -> None:
        if gateway.standing(self.now) is Standing.CLOSED:
            gateway.held.clear()


Redriving.TestCase.settings = settings(max_examples=examples(120, 4000), stateful_step_count=40, deadline=None)
TestARedriveLosesNothingInAnyOrder = pytest.mark.unmeasured(Redriving.TestCase)
