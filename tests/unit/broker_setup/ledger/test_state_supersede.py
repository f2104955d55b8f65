"""A newer submission with the same callback URL takes the place of the older one that nobody grades."""

from math import inf

import msgspec
import pytest
from msgspec.structs import replace

from broker_setup.ledger.answers import Refusal, Standing
from broker_setup.ledger.events import AnyEvent, Submitted, hash_url
from broker_setup.ledger.state import LedgerState
from broker_setup.ledger.state.superseded import SUPERSEDABLE_SECONDS
from broker_setup.ledger.state.waiting import MAX_OF_URL
from tests.support.ledger_events import (
    MIN_AGE,
    URL,
    expired,
    extended,
    graded,
    id_of,
    leased,
    parked,
    redriven,
    released,
    snapshot,
    state_after,
    submitted,
    superseded,
    uuid_of,
)


def test_a_newer_submission_with_the_same_url_supersedes_the_older_one() -> None:
    state = state_after(submitted(1, 0))
    outcome = state.apply(submitted(2, 5))
    assert outcome.gone == [("openedx", uuid_of(1))]
    assert state.standing(uuid_of(1), 5) is Standing.SUPERSEDED
    assert state.superseded_by(uuid_of(1)) == uuid_of(2)
    assert state.standing(uuid_of(2), 5) is Standing.FREE
    assert state.superseded_in("openedx") == 1


def test_a_superseded_one_does_not_count_any_more_once_it_has_left() -> None:
    state = state_after(submitted(1, 0), submitted(2, 5), superseded(1, 6, by=2), superseded(1, 7, by=2))
    assert state.superseded_in("openedx") == 0
    assert state.standing(uuid_of(1), 8) is Standing.CLOSED


def test_two_answers_that_come_together_are_both_graded() -> None:
    state = state_after(submitted(1, 0), submitted(2, 0.1))
    assert [state.standing(uuid_of(number), 1) for number in (1, 2)] == [Standing.FREE, Standing.FREE]
    state.apply(submitted(3, 5))
    assert [state.standing(uuid_of(number), 6) for number in (1, 2, 3)] == [
        Standing.SUPERSEDED,
        Standing.SUPERSEDED,
        Standing.FREE,
    ]


def test_another_url_supersedes_nothing() -> None:
    state = state_after(submitted(1, 0), submitted(2, 5, url=URL + "?"))
    assert state.standing(uuid_of(1), 6) is Standing.FREE


def test_a_submission_whose_url_nobody_knows_supersedes_nothing() -> None:
    state = state_after(*(replace(submitted(number, at), url=b"") for number, at in ((1, 0), (2, 9))))
    assert state.standing(uuid_of(1), 10) is Standing.FREE


def test_a_leased_one_is_not_superseded_and_neither_is_it_when_its_lease_runs_out() -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "k", until=61), submitted(2, 5))
    assert state.standing(uuid_of(1), 6) is Standing.LEASED
    assert state.standing(uuid_of(1), 61) is Standing.FREE


def test_one_whose_lease_ran_out_is_superseded_and_its_late_result_is_refused() -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "k", until=61), submitted(2, 70))
    assert state.standing(uuid_of(1), 71) is Standing.SUPERSEDED
    assert state.may_take(id_of(1), "k", b"d", 71) is Refusal.WRONG_KEY
    assert not state.apply(extended(1, 71, "k", 500)).valid
    assert not state.apply(released(1, 71, "k")).valid
    assert list(state.running(72)) == []


def test_a_superseded_one_can_not_be_leased() -> None:
    state = state_after(submitted(1, 0), submitted(2, 5))
    assert not state.apply(leased(1, 6, "k")).valid


def test_a_result_that_was_stored_before_its_gateway_heard_of_the_newer_one_settles_all_the_same() -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "k", until=61), submitted(2, 70))
    assert state.apply(graded(1, 71, "k", b"d")).gone == [("openedx", uuid_of(1))]
    assert state.superseded_in("openedx") == 0
    assert state.may_take(id_of(1), "k", b"d", 72) is Refusal.REPEAT


def test_a_settled_one_is_superseded_by_nothing() -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "k"), graded(1, 2, "k"))
    assert state.apply(submitted(2, 9)).gone == ()


def test_a_queue_that_does_not_supersede_keeps_all() -> None:
    state = state_after(submitted(1, 0, queue="never"), submitted(2, 50, queue="never"))
    assert state.standing(uuid_of(1), 51) is Standing.FREE
    assert state.superseded_in("never") == 0


def test_with_a_min_age_of_nothing_the_newer_one_always_wins() -> None:
    state = state_after(submitted(1, 5), submitted(2, 5, min_age=0))
    assert state.standing(uuid_of(1), 5) is Standing.SUPERSEDED


def test_an_older_one_in_another_queue_counts_where_it_waits() -> None:
    state = state_after(submitted(1, 0, queue="before"))
    assert state.apply(submitted(2, 9, queue="after")).gone == [("before", uuid_of(1))]
    assert (state.superseded_in("before"), state.superseded_in("after")) == (1, 0)


def test_a_lease_that_stands_before_its_submit_is_no_reason_to_forget_the_submit() -> None:
    state = state_after(leased(1, 0, "k", until=60), submitted(1, 0), submitted(2, 70))
    assert state.standing(uuid_of(1), 71) is Standing.SUPERSEDED


@pytest.mark.parametrize("min_age", [0, MIN_AGE])
def test_a_submit_that_was_noted_twice_takes_nobodys_place(min_age: float) -> None:
    state = state_after(submitted(1, 5), submitted(2, 8, min_age=min_age), submitted(1, 5, min_age=min_age))
    assert state.standing(uuid_of(1), 9) is Standing.SUPERSEDED
    assert state.standing(uuid_of(2), 9) is Standing.FREE
    state = state_after(
        leased(1, 5, "k"), graded(1, 6, "k"), submitted(2, 6, min_age=min_age), submitted(1, 6, min_age=min_age)
    )
    assert state.standing(uuid_of(2), 9) is Standing.FREE


def test_one_that_was_released_for_later_is_superseded_at_once() -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "k"), released(1, 2, "k", available_at=500), submitted(2, 9))
    assert state.standing(uuid_of(1), 10) is Standing.SUPERSEDED
    assert not state.apply(leased(1, 501, "k2")).valid


def test_a_newer_one_in_another_queue_leaves_those_of_a_queue_that_does_not_supersede() -> None:
    state = state_after(submitted(1, 0, queue="never"), submitted(2, 5))
    assert state.standing(uuid_of(1), 6) is Standing.FREE
    assert state.superseded_in("never") == 0


def test_a_redriven_one_of_a_queue_that_does_not_supersede_is_not_superseded_either() -> None:
    state = state_after(
        submitted(1, 0, queue="never"),
        parked(1, 1, queue="never"),
        redriven(1, 2, 1, queue="never"),
        submitted(2, 9),
    )
    assert state.standing(uuid_of(1), 10) is Standing.FREE


def test_of_one_url_so_many_can_be_superseded_and_those_before_them_are_graded() -> None:
    state = state_after(*(submitted(number, 0) for number in range(1, MAX_OF_URL + 11)))
    outcome = state.apply(submitted(1_000, 9))
    assert [submission for _, submission in outcome.gone] == [uuid_of(11 + number) for number in range(MAX_OF_URL)]
    assert [state.standing(uuid_of(number), 9) for number in (10, 11)] == [Standing.FREE, Standing.SUPERSEDED]
    assert state.expected_in("openedx", 9) == 1, "of the ten, nothing is known"
    state.apply(graded(1, 9, "k"))
    assert state.expected_in("openedx", 9) == 1


# What was decided by the gateway that took the submit holds for all; no process's own settings count.


def test_a_submit_says_itself_how_old_what_it_supersedes_must_be() -> None:
    assert state_after(submitted(1, 0), submitted(2, 5, min_age=10)).standing(uuid_of(1), 6) is Standing.FREE
    assert state_after(submitted(1, 0), submitted(2, 5, min_age=1)).standing(uuid_of(1), 6) is Standing.SUPERSEDED
    never = state_after(submitted(1, 0, min_age=None), submitted(2, 5, min_age=0))
    assert never.standing(uuid_of(1), 6) is Standing.FREE
    assert state_after(submitted(1, 0), submitted(2, 5, min_age=None)).standing(uuid_of(1), 6) is Standing.FREE


# Whoever may hand in somewhere must not be able to end what others handed in elsewhere: callback URLs can be guessed.


def standings(state: LedgerState, *numbers: int) -> list[Standing]:
    return [state.standing(uuid_of(number), 60) for number in numbers]


def test_another_account_supersedes_nothing_by_submitting_to_a_queue_of_its_own() -> None:
    state = state_after(submitted(1, 0, queue="exam"))
    for number, listed in ((2, False), (3, True)):
        state.apply(submitted(number, 9, queue=f"own {number}", account=f"mallory {number}", listed=listed, min_age=0))
    assert standings(state, 1, 2, 3) == [Standing.FREE] * 3


def test_in_one_queue_another_account_supersedes_only_where_the_queues_list_has_its_name() -> None:
    state = state_after(submitted(1, 0), submitted(2, 9, account="another"))
    assert standings(state, 1, 2) == [Standing.FREE] * 2
    state.apply(submitted(3, 20, account="a third", listed=True))
    assert standings(state, 1, 2, 3) == [Standing.SUPERSEDED, Standing.SUPERSEDED, Standing.FREE]


def test_another_accounts_submissions_of_a_url_crowd_nobodys_out() -> None:
    junk = [submitted(number, 1, queue="own", account="mallory") for number in range(2, MAX_OF_URL + 50)]
    state = state_after(submitted(1, 0), *junk, submitted(1_000, 9))
    assert standings(state, 1, 2, 1_000) == [Standing.SUPERSEDED, Standing.FREE, Standing.FREE]
    assert state.expected_in("openedx", 9) == 1


def test_a_redriven_one_is_still_superseded_by_nobody_but_its_sender() -> None:
    life: list[AnyEvent] = [submitted(1, 0), parked(1, 1), redriven(1, 2)]
    assert standings(state_after(*life, submitted(2, 9, account="another")), 1) == [Standing.FREE]
    assert standings(state_after(*life, submitted(2, 9)), 1) == [Standing.SUPERSEDED]


def of_0_1_0(event: Submitted) -> list[object]:
    """What version 0.1.0 reads of an event: its tag, and the fields that it knows."""
    kind, *fields = msgspec.msgpack.decode(msgspec.msgpack.encode(event))
    return [kind, *fields[:4]]


def test_version_0_1_0_reads_no_url_and_so_lets_nobody_take_anybodys_place() -> None:
    assert of_0_1_0(submitted(1, 5)) == [1, 5, uuid_of(1), "openedx", b""]


def test_a_submit_that_does_not_say_who_sent_it_takes_nobodys_place_and_only_a_listed_account_takes_its() -> None:
    # As 0.1.0 wrote it, and as those did who first said how old what it supersedes must be.
    for age in (inf, 0.0, 2.0):
        first, second = (
            Submitted(at, uuid_of(number), "openedx", hash_url(URL), age) for number, at in ((1, 0), (2, 50))
        )
        state = state_after(first, second)
        assert standings(state, 1, 2) == [Standing.FREE] * 2
        state.apply(submitted(3, 60))
        assert standings(state, 1, 2) == [Standing.FREE] * 2
        state.apply(submitted(4, 70, listed=True))
        assert standings(state, 1, 2) == [Standing.SUPERSEDED] * 2


def test_a_queue_that_kept_all_before_events_said_who_sent_them_keeps_them_still() -> None:
    before = Submitted(0, uuid_of(1), "never", hash_url(URL), None)
    assert standings(state_after(before, submitted(2, 50, queue="openedx", listed=True)), 1) == [Standing.FREE]


def test_what_waits_for_longer_than_every_gateway_reads_back_is_not_superseded_any_more() -> None:
    old = SUPERSEDABLE_SECONDS
    assert state_after(submitted(1, 0), submitted(2, old)).standing(uuid_of(1), old + 1) is Standing.FREE
    state = state_after(submitted(1, 0), submitted(2, 50))
    assert state.standing(uuid_of(1), old - 1) is Standing.SUPERSEDED
    # Who starts a day later reads nothing of the first, and of the second only that it came.
    late = state_after(submitted(2, 50))
    for now in (old, old + 1, 3 * old):
        assert state.standing(uuid_of(1), now) is late.standing(uuid_of(1), now) is Standing.FREE
    assert state.apply(leased(1, old, "k")).valid


def test_what_is_superseded_no_more_counts_among_what_waits_again() -> None:
    old = SUPERSEDABLE_SECONDS
    state = state_after(submitted(1, 0), submitted(2, 50))
    assert state.superseded_in("openedx") == 1
    state.apply(expired(9, old + 3 * 3600, "k"))
    assert state.superseded_in("openedx") == 0


def test_a_redriven_one_of_a_queue_that_does_not_supersede_is_not_superseded_by_another_queues() -> None:
    lives = [[submitted(1, 0, queue="never")], []]
    for life in lives:
        state = state_after(*life, parked(1, 1, queue="never"), redriven(1, 2, queue="never"), submitted(2, 9))
        assert state.standing(uuid_of(1), 10) is Standing.FREE
    late = state_after(parked(1, 1), submitted(1, 0), redriven(1, 2), submitted(2, 9))
    assert late.standing(uuid_of(1), 10) is Standing.SUPERSEDED, "its submit was noted after it was parked"


def test_one_that_was_superseded_when_it_was_parked_can_be_superseded_when_it_is_redriven() -> None:
    life: list[AnyEvent] = [submitted(1, 0), submitted(2, 5), parked(1, 6)]
    assert snapshot(state_after(*life)) == snapshot(state_after(*life, *life))
    state = state_after(*life, redriven(1, 7), submitted(3, 20))
    assert state.standing(uuid_of(1), 21) is Standing.SUPERSEDED
