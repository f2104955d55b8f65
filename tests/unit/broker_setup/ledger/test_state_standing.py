"""What may be done with a delivery, as the ledger's events add up: free, leased, closed."""

import pytest

from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.state.closed import CLOSED_SECONDS
from tests.support.ledger_events import (
    expired,
    extended,
    graded,
    leased,
    parked,
    released,
    retired,
    state_after,
    submitted,
    superseded,
    uuid_of,
)


def test_a_submission_that_the_ledger_does_not_know_is_free() -> None:
    assert state_after().standing(uuid_of(1), 0) is Standing.FREE


def test_a_submitted_one_is_free() -> None:
    assert state_after(submitted(1, 0)).standing(uuid_of(1), 1) is Standing.FREE


def test_a_leased_one_is_leased_until_its_lease_has_run_out() -> None:
    state = state_after(leased(1, 0, "k", until=60))
    assert state.standing(uuid_of(1), 59.9) is Standing.LEASED
    assert state.standing(uuid_of(1), 60) is Standing.FREE


def test_an_extended_lease_runs_until_its_new_end() -> None:
    state = state_after(leased(1, 0, "k", until=60), extended(1, 50, "k", 120))
    assert state.standing(uuid_of(1), 119) is Standing.LEASED
    assert state.standing(uuid_of(1), 120) is Standing.FREE


def test_a_released_one_is_free_at_once_or_after_its_delay() -> None:
    state = state_after(leased(1, 0, "k"), released(1, 10, "k", available_at=30))
    assert state.standing(uuid_of(1), 29) is Standing.LEASED
    assert state.standing(uuid_of(1), 30) is Standing.FREE
    assert state_after(leased(1, 0, "k"), released(1, 10, "k")).standing(uuid_of(1), 10) is Standing.FREE


@pytest.mark.parametrize("closing", [graded(1, 5, "k"), retired(1, 5), parked(1, 5), superseded(1, 5, by=2)])
def test_one_that_left_its_queue_is_closed_and_its_holders_are_told(closing: AnyEvent) -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "k"))
    assert state.apply(closing).gone == [("openedx", uuid_of(1))]
    assert state.standing(uuid_of(1), 5) is Standing.CLOSED


@pytest.mark.parametrize("closing", [graded(1, 5, "k"), retired(1, 5), parked(1, 5), superseded(1, 5, by=2)])
@pytest.mark.parametrize(
    "later",
    [
        submitted(1, 0),
        leased(1, 70, "k2"),
        extended(1, 70, "k", 900),
        released(1, 70, "k"),
        expired(1, 70, "k"),
        graded(1, 70, "k", b"other"),
        retired(1, 70),
        parked(1, 70),
        superseded(1, 70, by=3),
        submitted(2, 70),
    ],
)
def test_a_closed_one_stays_closed_whatever_comes_later(closing: AnyEvent, later: AnyEvent) -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "k"), closing)
    assert state.apply(later).gone == ()
    for now in (70, 5_000):
        assert state.standing(uuid_of(1), now) is Standing.CLOSED


def test_that_one_is_closed_is_known_for_a_day_and_then_forgotten() -> None:
    state = state_after(graded(1, 0, "k"), graded(2, CLOSED_SECONDS - 60, "k"))
    assert state.standing(uuid_of(1), CLOSED_SECONDS) is Standing.CLOSED
    state.apply(graded(3, CLOSED_SECONDS + 120, "k"))
    assert state.standing(uuid_of(1), CLOSED_SECONDS + 120) is Standing.FREE
    assert state.standing(uuid_of(2), CLOSED_SECONDS + 120) is Standing.CLOSED
