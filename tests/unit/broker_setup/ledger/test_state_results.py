"""Which results are welcome: of the lease, late, again, amended, from the wrong hands."""

import pytest

from broker_setup.ledger.answers import Refusal, Standing, Take
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.state.result_decision import AMENDMENT_SECONDS, MAX_AMENDMENTS
from broker_setup.ledger.state.settled import SETTLED_SECONDS
from tests.support.ledger_events import (
    amended,
    graded,
    id_of,
    leased,
    parked,
    released,
    retired,
    state_after,
    submitted,
    superseded,
    uuid_of,
)


def test_the_result_of_a_running_lease_is_taken() -> None:
    taken = state_after(leased(1, 0, "k", until=60)).may_take(id_of(1), "k", b"d", 30)
    assert isinstance(taken, Take)
    assert (taken.amendment, taken.late, taken.lease.sealed) == (0, False, "sealed 1")


def test_a_late_result_is_taken_while_nobody_else_has_leased_the_submission() -> None:
    state = state_after(leased(1, 0, "k", until=60))
    taken = state.may_take(id_of(1), "k", b"d", 61)
    assert isinstance(taken, Take)
    assert taken.late
    state.apply(leased(1, 62, "k2"))
    assert state.may_take(id_of(1), "k", b"d", 63) is Refusal.WRONG_KEY


def test_a_result_for_a_submission_that_was_never_leased_has_no_submission() -> None:
    assert state_after(submitted(1, 0)).may_take(id_of(1), "k", b"d", 1) is Refusal.UNKNOWN_SUBMISSION


def test_a_wrong_key_and_the_key_of_another_submission_are_refused() -> None:
    state = state_after(leased(1, 0, "a"), leased(2, 0, "b"))
    for key in ("nonsense", "b", ""):
        assert state.may_take(id_of(1), key, b"d", 1) is Refusal.WRONG_KEY


def test_a_right_key_with_the_id_of_no_submission_is_refused() -> None:
    assert state_after(leased(1, 0, "k")).may_take(id_of(9), "k", b"d", 1) is Refusal.UNKNOWN_SUBMISSION


def test_a_released_lease_takes_no_result() -> None:
    state = state_after(leased(1, 0, "k"), released(1, 10, "k"))
    assert state.may_take(id_of(1), "k", b"d", 11) is Refusal.WRONG_KEY
    assert state.may_take(id_of(1), "", b"d", 11) is Refusal.WRONG_KEY


def test_the_same_result_again_is_a_repeat() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"))
    assert state.may_take(id_of(1), "k", b"d", 6) is Refusal.REPEAT


def test_a_second_result_in_the_ledger_settles_nothing() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"))
    assert not state.apply(graded(1, 6, "k", b"other")).valid
    assert state.may_take(id_of(1), "k", b"d", 7) is Refusal.REPEAT


def test_the_very_same_result_twice_in_the_ledger_is_valid_twice_and_settles_once() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"))
    again = state.apply(graded(1, 6, "k", b"d"))
    assert again.valid
    assert not again.gone


def test_another_result_soon_after_is_an_amendment_and_they_count_up() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"))
    for amendment, digest in ((1, b"e"), (2, b"f")):
        taken = state.may_take(id_of(1), "k", digest, 6)
        assert isinstance(taken, Take)
        assert taken.amendment == amendment
        assert state.apply(amended(1, 6, "k", digest, amendment)).valid
        assert state.may_take(id_of(1), "k", digest, 7) is Refusal.REPEAT


def test_an_amendment_comes_too_late_after_five_minutes() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"))
    assert isinstance(state.may_take(id_of(1), "k", b"e", 5 + AMENDMENT_SECONDS), Take)
    assert state.may_take(id_of(1), "k", b"e", 6 + AMENDMENT_SECONDS) is Refusal.WRONG_KEY
    assert state.may_take(id_of(1), "k", b"d", 6 + AMENDMENT_SECONDS) is Refusal.REPEAT


def test_of_one_lease_there_are_twenty_amendments_and_no_more() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"))
    for number in range(1, MAX_AMENDMENTS + 1):
        assert isinstance(state.may_take(id_of(1), "k", b"e%d" % number, 6), Take)
        assert state.apply(amended(1, 6, "k", b"e%d" % number, number)).valid
    assert state.may_take(id_of(1), "k", b"one more", 7) is Refusal.WRONG_KEY
    assert state.may_take(id_of(1), "k", b"e%d" % MAX_AMENDMENTS, 7) is Refusal.REPEAT


def test_of_two_amendments_under_one_number_the_first_counts_and_a_copy_of_it_changes_nothing() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"))
    assert state.apply(amended(1, 6, "k", b"first", 1)).valid
    assert not state.apply(amended(1, 6, "k", b"second", 1)).valid
    assert state.apply(amended(1, 6, "k", b"first", 1)).valid
    assert state.may_take(id_of(1), "k", b"first", 7) is Refusal.REPEAT
    taken = state.may_take(id_of(1), "k", b"second", 7)
    assert isinstance(taken, Take)
    assert taken.amendment == 2


@pytest.mark.parametrize("before", [[], [leased(1, 0, "k")], [leased(1, 0, "other"), graded(1, 1, "other")]])
def test_an_amendment_of_what_its_key_did_not_settle_is_void(before: list[AnyEvent]) -> None:
    assert not state_after(*before).apply(amended(1, 6, "k", b"e", 1)).valid


def test_a_late_result_that_came_before_the_next_graders_settles_and_the_next_one_is_refused() -> None:
    state = state_after(leased(1, 0, "late", until=60), leased(1, 61, "next"), graded(1, 62, "late", b"d"))
    assert state.may_take(id_of(1), "next", b"n", 63) is Refusal.WRONG_KEY
    # Its grader was told that it was taken, so the same again is a repeat.
    assert state.may_take(id_of(1), "late", b"d", 63) is Refusal.REPEAT


def test_what_settled_a_submission_is_known_for_ten_minutes() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"), leased(2, 0, "m"))
    state.apply(graded(2, 5 + SETTLED_SECONDS, "m"))
    assert state.may_take(id_of(1), "k", b"d", 5 + SETTLED_SECONDS) is Refusal.REPEAT
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"), leased(2, 0, "m"))
    state.apply(graded(2, 6 + SETTLED_SECONDS, "m"))
    assert state.may_take(id_of(1), "k", b"d", 6 + SETTLED_SECONDS) is Refusal.UNKNOWN_SUBMISSION
    assert state.standing(uuid_of(1), 6 + SETTLED_SECONDS) is Standing.CLOSED


@pytest.mark.parametrize("closing", [retired(1, 70), parked(1, 70), superseded(1, 70, by=2)])
def test_a_submission_that_left_ungraded_takes_no_result(closing: AnyEvent) -> None:
    state = state_after(leased(1, 0, "k", until=60), closing)
    assert state.may_take(id_of(1), "k", b"d", 71) is Refusal.UNKNOWN_SUBMISSION


def test_a_result_that_was_taken_elsewhere_is_success_for_its_sender_whichever_of_two_it_is() -> None:
    """Two gateways take two results of one key, one as an amendment there; each then hears of its own."""
    state = state_after(leased(1, 0, "key"), graded(1, 1, "key", b"first"), amended(1, 2, "key", b"second", 1))
    assert state.apply(graded(1, 3, "key", b"first")).valid
    assert state.apply(graded(1, 3, "key", b"second")).valid
    assert not state.apply(graded(1, 3, "key", b"third")).valid
    assert not state.apply(graded(1, 3, "another key", b"first")).valid
