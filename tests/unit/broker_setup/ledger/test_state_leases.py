"""Leases as the ledger has them: the first one counts, and only its key changes it."""

import pytest

from broker_setup.ledger.answers import Refusal, Standing, Take
from broker_setup.ledger.events import AnyEvent, Undeliverable, hash_key, hash_url
from tests.support.ledger_events import (
    URL,
    expired,
    extended,
    graded,
    id_of,
    leased,
    released,
    state_after,
    uuid_of,
)


def test_a_lease_says_all_that_its_result_needs() -> None:
    lease = state_after(leased(1, 3, "k", until=63)).lease_of(uuid_of(1))
    assert lease is not None
    assert (lease.queue, lease.url, lease.key) == ("openedx", hash_url(URL), hash_key("k"))
    assert (lease.granted_at, lease.expires_at, lease.sealed, lease.attempt) == (3, 63, "sealed 1", 1)


def test_of_two_leases_the_first_in_the_ledger_counts_and_the_second_is_void() -> None:
    state = state_after()
    assert state.apply(leased(1, 0, "first")).valid
    assert not state.apply(leased(1, 0, "second")).valid
    assert state.may_take(id_of(1), "second", b"d", 1) is Refusal.WRONG_KEY
    assert isinstance(state.may_take(id_of(1), "first", b"d", 1), Take)


def test_a_lease_that_ran_out_makes_way_for_the_next() -> None:
    state = state_after(leased(1, 0, "first", until=60))
    assert not state.apply(leased(1, 59, "too early")).valid
    assert state.apply(leased(1, 60, "second")).valid


def test_a_lease_decided_before_the_extension_and_written_after_it_is_void() -> None:
    state = state_after(leased(1, 0, "first", until=60), extended(1, 59, "first", 120))
    assert not state.apply(leased(1, 61, "second")).valid


def test_a_submission_held_back_after_a_release_can_not_be_leased_before_its_time() -> None:
    state = state_after(leased(1, 0, "k"), released(1, 10, "k", available_at=30))
    assert not state.apply(leased(1, 20, "k2")).valid
    assert state.apply(leased(1, 30, "k2")).valid


@pytest.mark.parametrize("change", [extended(1, 10, "other", 120), released(1, 10, "other")])
def test_only_the_key_of_the_lease_can_change_it(change: AnyEvent) -> None:
    state = state_after(leased(1, 0, "k", until=60))
    assert not state.apply(change).valid
    lease = state.lease_of(uuid_of(1))
    assert lease is not None
    assert lease.expires_at == 60


def test_a_lease_that_was_released_can_not_be_extended() -> None:
    state = state_after(leased(1, 0, "k"), released(1, 10, "k", available_at=30))
    assert not state.apply(extended(1, 11, "k", 500)).valid
    assert state.standing(uuid_of(1), 31) is Standing.FREE


def test_a_lease_that_ran_out_can_be_extended_while_nobody_else_has_the_work() -> None:
    state = state_after(leased(1, 0, "k", until=60))
    assert state.apply(extended(1, 61, "k", 120)).valid
    assert state.standing(uuid_of(1), 100) is Standing.LEASED
    state = state_after(leased(1, 0, "k", until=60), leased(1, 61, "k2"))
    assert not state.apply(extended(1, 62, "k", 120)).valid


def test_running_leases_are_those_that_somebody_has() -> None:
    state = state_after(
        leased(1, 0, "a", until=60),
        leased(2, 0, "b", until=10),
        leased(3, 0, "c", until=60),
        released(3, 1, "c", available_at=50),
        leased(4, 0, "d"),
        graded(4, 1, "d"),
    )
    assert [lease.submission for lease in state.running(20)] == [uuid_of(1)]


def test_each_lease_runs_out_once_and_in_the_order_of_its_expiry() -> None:
    state = state_after(leased(1, 0, "a", until=60), leased(2, 0, "b", until=30), leased(3, 0, "c", until=90))
    assert [lease.submission for lease in state.run_out(60)] == [uuid_of(2), uuid_of(1)]
    assert state.run_out(60) == []


def test_a_lease_that_was_extended_runs_out_at_its_new_end_only() -> None:
    state = state_after(leased(1, 0, "k", until=60), extended(1, 50, "k", 120))
    assert state.run_out(119) == []
    assert len(state.run_out(120)) == 1


def test_a_lease_extended_to_the_very_same_moment_runs_out_once() -> None:
    state = state_after(leased(1, 0, "k", until=60), extended(1, 50, "k", 60), released(1, 55, "k", available_at=60))
    assert len(state.run_out(60)) == 1


def test_a_settled_lease_does_not_run_out() -> None:
    assert state_after(leased(1, 0, "k", until=60), graded(1, 5, "k")).run_out(100) == []


def test_expiry_and_a_result_that_can_not_be_delivered_are_history_and_change_nothing() -> None:
    state = state_after(leased(1, 0, "k", until=60))
    for event in (expired(1, 61, "k"), Undeliverable(61, uuid_of(1), "404")):
        assert state.apply(event).valid
    assert isinstance(state.may_take(id_of(1), "k", b"d", 62), Take)


def test_an_extension_never_shortens_a_lease() -> None:
    lease = state_after(leased(1, 0, "k", until=60), extended(1, 1, "k", 30)).lease_of(uuid_of(1))
    assert lease is not None
    assert lease.expires_at == 60
