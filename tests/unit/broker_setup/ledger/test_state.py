"""What the ledger's events add up to: standings, leases, results, superseded submissions, memory."""

import gc
import tracemalloc
from itertools import count

import pytest

from broker_setup.ledger.events import AnyEvent, Delivered, Undeliverable, hash_key, hash_url
from broker_setup.ledger.state import (
    AMENDMENT_SECONDS,
    CLOSED_SECONDS,
    SETTLED_MAX,
    SETTLED_SECONDS,
    LedgerState,
    Refusal,
    Standing,
    Take,
)
from tests.support.ledger_events import (
    URL,
    amended,
    expired,
    extended,
    graded,
    id_of,
    leased,
    parked,
    released,
    retired,
    submitted,
    superseded,
    uuid_of,
)

MIN_AGE = 2.0


def state_after(*events: AnyEvent, min_age: float | None = MIN_AGE) -> LedgerState:
    state = LedgerState(lambda queue: None if queue == "never" else min_age)
    for event in events:
        state.apply(event)
    return state


# Standing.


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


# Leases.


def test_a_lease_says_all_that_its_result_needs() -> None:
    lease = state_after(leased(1, 3, "k", until=63)).lease_of(uuid_of(1))
    assert lease is not None
    assert (lease.queue, lease.url, lease.key) == ("openedx", hash_url(URL), hash_key("k"))
    assert (lease.granted_at, lease.expires_at, lease.sealed, lease.attempt) == (3, 63, "sealed 1", 1)


def test_of_two_leases_the_first_in_the_ledger_counts_and_the_second_is_void() -> None:
    state = state_after()
    assert state.apply(leased(1, 0, "first")).valid
    assert not state.apply(leased(1, 0, "second")).valid
    assert state.judge(id_of(1), "second", b"d", 1) is Refusal.WRONG_KEY
    assert isinstance(state.judge(id_of(1), "first", b"d", 1), Take)


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


def test_expiry_and_delivery_are_history_and_change_nothing() -> None:
    state = state_after(leased(1, 0, "k", until=60))
    for event in (expired(1, 61, "k"), Delivered(61, uuid_of(1), 1), Undeliverable(61, uuid_of(1), "404")):
        assert state.apply(event).valid
    assert isinstance(state.judge(id_of(1), "k", b"d", 62), Take)


# Results.


def test_the_result_of_a_running_lease_is_taken() -> None:
    verdict = state_after(leased(1, 0, "k", until=60)).judge(id_of(1), "k", b"d", 30)
    assert isinstance(verdict, Take)
    assert (verdict.amendment, verdict.late, verdict.lease.sealed) == (0, False, "sealed 1")


def test_a_late_result_is_taken_while_nobody_else_has_leased_the_submission() -> None:
    state = state_after(leased(1, 0, "k", until=60))
    verdict = state.judge(id_of(1), "k", b"d", 61)
    assert isinstance(verdict, Take)
    assert verdict.late
    state.apply(leased(1, 62, "k2"))
    assert state.judge(id_of(1), "k", b"d", 63) is Refusal.WRONG_KEY


def test_a_result_for_a_submission_that_was_never_leased_has_no_submission() -> None:
    assert state_after(submitted(1, 0)).judge(id_of(1), "k", b"d", 1) is Refusal.UNKNOWN_SUBMISSION


def test_a_wrong_key_and_the_key_of_another_submission_are_refused() -> None:
    state = state_after(leased(1, 0, "a"), leased(2, 0, "b"))
    for key in ("nonsense", "b", ""):
        assert state.judge(id_of(1), key, b"d", 1) is Refusal.WRONG_KEY


def test_a_right_key_with_the_id_of_no_submission_is_refused() -> None:
    assert state_after(leased(1, 0, "k")).judge(id_of(9), "k", b"d", 1) is Refusal.UNKNOWN_SUBMISSION


def test_a_released_lease_takes_no_result() -> None:
    state = state_after(leased(1, 0, "k"), released(1, 10, "k"))
    assert state.judge(id_of(1), "k", b"d", 11) is Refusal.WRONG_KEY
    assert state.judge(id_of(1), "", b"d", 11) is Refusal.WRONG_KEY


def test_the_same_result_again_is_a_repeat() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"))
    assert state.judge(id_of(1), "k", b"d", 6) is Refusal.REPEAT


def test_a_second_result_in_the_ledger_settles_nothing() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"))
    assert not state.apply(graded(1, 6, "k", b"other")).valid
    assert state.judge(id_of(1), "k", b"d", 7) is Refusal.REPEAT


def test_another_result_soon_after_is_an_amendment_and_they_count_up() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"))
    for amendment, digest in ((1, b"e"), (2, b"f")):
        verdict = state.judge(id_of(1), "k", digest, 6)
        assert isinstance(verdict, Take)
        assert verdict.amendment == amendment
        assert state.apply(amended(1, 6, "k", digest, amendment)).valid
        assert state.judge(id_of(1), "k", digest, 7) is Refusal.REPEAT


def test_an_amendment_comes_too_late_after_five_minutes() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"))
    assert isinstance(state.judge(id_of(1), "k", b"e", 5 + AMENDMENT_SECONDS), Take)
    assert state.judge(id_of(1), "k", b"e", 6 + AMENDMENT_SECONDS) is Refusal.WRONG_KEY
    assert state.judge(id_of(1), "k", b"d", 6 + AMENDMENT_SECONDS) is Refusal.REPEAT


def test_of_two_amendments_under_one_number_the_first_counts_and_a_copy_of_it_changes_nothing() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"))
    assert state.apply(amended(1, 6, "k", b"first", 1)).valid
    assert not state.apply(amended(1, 6, "k", b"second", 1)).valid
    assert state.apply(amended(1, 6, "k", b"first", 1)).valid
    assert state.judge(id_of(1), "k", b"first", 7) is Refusal.REPEAT
    verdict = state.judge(id_of(1), "k", b"second", 7)
    assert isinstance(verdict, Take)
    assert verdict.amendment == 2


@pytest.mark.parametrize("before", [[], [leased(1, 0, "k")], [leased(1, 0, "other"), graded(1, 1, "other")]])
def test_an_amendment_of_what_its_key_did_not_settle_is_void(before: list[AnyEvent]) -> None:
    assert not state_after(*before).apply(amended(1, 6, "k", b"e", 1)).valid


def test_a_late_result_that_came_before_the_next_graders_settles_and_the_next_one_is_refused() -> None:
    state = state_after(leased(1, 0, "late", until=60), leased(1, 61, "next"), graded(1, 62, "late", b"d"))
    assert state.judge(id_of(1), "next", b"n", 63) is Refusal.WRONG_KEY
    # Its grader was told that it was taken, so the same again is a repeat.
    assert state.judge(id_of(1), "late", b"d", 63) is Refusal.REPEAT


def test_what_settled_a_submission_is_known_for_ten_minutes() -> None:
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"), leased(2, 0, "m"))
    state.apply(graded(2, 5 + SETTLED_SECONDS, "m"))
    assert state.judge(id_of(1), "k", b"d", 5 + SETTLED_SECONDS) is Refusal.REPEAT
    state = state_after(leased(1, 0, "k"), graded(1, 5, "k", b"d"), leased(2, 0, "m"))
    state.apply(graded(2, 6 + SETTLED_SECONDS, "m"))
    assert state.judge(id_of(1), "k", b"d", 6 + SETTLED_SECONDS) is Refusal.UNKNOWN_SUBMISSION
    assert state.standing(uuid_of(1), 6 + SETTLED_SECONDS) is Standing.CLOSED


@pytest.mark.parametrize("closing", [retired(1, 70), parked(1, 70), superseded(1, 70, by=2)])
def test_a_submission_that_left_ungraded_takes_no_result(closing: AnyEvent) -> None:
    state = state_after(leased(1, 0, "k", until=60), closing)
    assert state.judge(id_of(1), "k", b"d", 71) is Refusal.UNKNOWN_SUBMISSION


# Supersede.


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
    unknown = [submitted(number, at) for number, at in ((1, 0), (2, 9))]
    state = state_after(*(type(event)(event.at, event.submission, event.queue, b"") for event in unknown))
    assert state.standing(uuid_of(1), 10) is Standing.FREE


def test_a_leased_one_is_not_superseded_and_neither_is_it_when_its_lease_runs_out() -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "k", until=61), submitted(2, 5))
    assert state.standing(uuid_of(1), 6) is Standing.LEASED
    assert state.standing(uuid_of(1), 61) is Standing.FREE


def test_one_whose_lease_ran_out_is_superseded_and_its_late_result_is_refused() -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "k", until=61), submitted(2, 70))
    assert state.standing(uuid_of(1), 71) is Standing.SUPERSEDED
    assert state.judge(id_of(1), "k", b"d", 71) is Refusal.WRONG_KEY
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
    assert state.judge(id_of(1), "k", b"d", 72) is Refusal.REPEAT


def test_a_settled_one_is_superseded_by_nothing() -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "k"), graded(1, 2, "k"))
    assert state.apply(submitted(2, 9)).gone == ()


def test_a_queue_that_does_not_supersede_keeps_all() -> None:
    state = state_after(submitted(1, 0, queue="never"), submitted(2, 50, queue="never"))
    assert state.standing(uuid_of(1), 51) is Standing.FREE
    assert state.superseded_in("never") == 0


def test_with_a_min_age_of_nothing_the_newer_one_always_wins() -> None:
    state = state_after(submitted(1, 5), submitted(2, 5), min_age=0)
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
    state = state_after(submitted(1, 5), submitted(2, 8), submitted(1, 5), min_age=min_age)
    assert state.standing(uuid_of(1), 9) is Standing.SUPERSEDED
    assert state.standing(uuid_of(2), 9) is Standing.FREE
    state = state_after(leased(1, 5, "k"), graded(1, 6, "k"), submitted(2, 6), submitted(1, 6), min_age=min_age)
    assert state.standing(uuid_of(2), 9) is Standing.FREE


# Memory.


def sizes(state: LedgerState) -> dict[str, int]:
    return {name: len(value) for name, value in vars(state).items() if hasattr(value, "__len__")}


@pytest.mark.parametrize("ending", ["graded", "retired", "parked", "superseded"])
def test_what_has_left_is_forgotten_after_a_day(ending: str) -> None:
    state = state_after()
    for number in range(1, 200):
        at = number * 1.0
        state.apply(submitted(number, at, url=str(number)))
        state.apply(leased(number, at, f"k{number}", until=at + 1, url=str(number)))
        match ending:
            case "graded":
                state.apply(graded(number, at, f"k{number}", url=str(number)))
            case "retired":
                state.apply(retired(number, at + 1, url=str(number)))
            case "parked":
                state.apply(parked(number, at + 1, url=str(number)))
            case "superseded":
                state.apply(submitted(1_000 + number, at + 3, url=str(number)))
                state.apply(superseded(number, at + 4, by=1_000 + number))
                state.apply(graded(1_000 + number, at + 5, "k", url=str(number)))
    state.run_out(1e9)
    state.apply(parked(5_000, CLOSED_SECONDS * 3))
    state.apply(leased(5_001, CLOSED_SECONDS * 3, "k"))
    state.apply(graded(5_001, CLOSED_SECONDS * 3, "k"))
    left = sizes(state)
    for name in ("_handlers", "_queues", "_superseded_in"):
        left.pop(name)
    assert all(count <= 2 for count in left.values()), left


def test_what_settled_lately_is_bounded_by_number_too() -> None:
    state = state_after()
    for number in range(SETTLED_MAX + 100):
        state.apply(leased(number, 0, str(number)))
        state.apply(graded(number, 0, str(number)))
    assert len(state._settled) == len(state._by_id) == len(state._by_key) == SETTLED_MAX


def test_a_backlog_costs_a_gateway_less_than_three_hundred_bytes_a_submission() -> None:
    # 1,000,000 of them stay below 300 MiB.
    state = state_after()
    numbers = count(1)
    gc.collect()
    tracemalloc.start()
    try:
        for number in range(20_000):
            state.apply(submitted(next(numbers), number, url=str(number)))
        gc.collect()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used / 20_000 < 300
