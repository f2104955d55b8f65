"""What `make chaos` counts of what its clients saw."""

from collections import Counter

from bench.chaos.journal import EMPTY, REFUSED, TAKEN, Call, Journal, Lease, Standstill


def test_what_was_accepted_and_never_posted_is_missing_and_what_was_posted_twice_a_repeat() -> None:
    journal = Journal(accepted={"a", "b", "c"}, posted=["a", "b", "a", "a", "unknown"])
    assert journal.missing == {"c"}
    assert journal.repeats == 2


def test_how_long_a_result_waits_for_its_callback_is_counted_from_when_it_was_taken() -> None:
    journal = Journal(settled={"a": 10.0, "b": 11.0, "c": 12.0}, posted_at={"a": 10.5, "b": 14.0})
    assert journal.slowest == 3.0
    assert Journal().slowest == 0


def test_a_submission_is_doubly_leased_where_it_was_handed_out_while_its_lease_ran() -> None:
    journal = Journal(leases=[Lease("a", 0, 1), Lease("a", 50, 59.9), Lease("b", 0, 1), Lease("b", 60, 61)])
    assert journal.doubly_leased(60) == ["a"]


def test_or_after_its_result_had_been_taken_but_not_where_both_met() -> None:
    journal = Journal(
        leases=[Lease("a", 0, 1), Lease("a", 101, 102), Lease("b", 0, 1), Lease("b", 99, 102)],
        settled={"a": 100.0, "b": 100.0},
    )
    assert journal.doubly_leased(60) == ["a"]


def test_a_refused_call_costs_each_second_that_it_took_within_the_time_looked_at() -> None:
    journal = Journal(
        calls=[
            Call("poll", "a", 9.5, 10.5, REFUSED),  # began before
            Call("poll", "a", 12.2, 14.1, REFUSED),
            Call("poll", "a", 12.9, 13.0, REFUSED),
            Call("poll", "a", 19.9, 23.0, REFUSED),  # ends after
            Call("poll", "a", 15.0, 16.0, TAKEN),
            Call("poll", "a", 17.0, 18.0, EMPTY),
            Call("poll", "b", 16.0, 17.0, REFUSED),
            Call("submit", "a", 16.0, 17.0, REFUSED),
        ]
    )
    assert journal.seconds_of("poll", "a", 10, 20.5, REFUSED) == {0, 2, 3, 4, 9, 10}
    assert journal.seconds("poll", "a", 10, 20.5) == 6
    assert journal.seconds("poll", "a", 10, 20.5, EMPTY) == 2


def test_the_slowest_answer_is_of_all_calls_answered_or_not_and_what_was_slow_is_named() -> None:
    quick, slow = Call("submit", "a", 0, 2.5, TAKEN), Call("poll", "a", 0, 10, REFUSED)
    assert Journal(calls=[quick]).slowest_answer == 2.5
    assert Journal(calls=[quick]).slow == {}
    assert Journal(calls=[quick, slow]).slowest_answer == 10
    assert Journal(calls=[quick, slow]).slow == {slow: 10}
    assert Journal().slowest_answer == 0


def test_what_a_gateway_was_asked_before_it_went_on_is_measured_from_then() -> None:
    journal = Journal(
        calls=[
            Call("poll", "a", 9, 10, TAKEN),  # over before
            Call("poll", "a", 9.5, 30.4, TAKEN),
            Call("submit", "a", 15, 25, REFUSED),  # the client gave up while nobody could answer
            Call("poll", "a", 29, 30.7, TAKEN),
            Call("poll", "b", 29, 31.5, REFUSED),  # another gateway, which ran
            Call("poll", "a", 31, 33, TAKEN),  # asked afterwards
        ],
        standstills=[Standstill("a", 10, 30)],
    )
    assert round(journal.slowest_after_standstill, 1) == 0.7
    assert journal.slowest_answer == 2.5
    gave_up = Journal(calls=journal.calls[2:3], standstills=journal.standstills)
    assert gave_up.slowest_after_standstill == Journal().slowest_after_standstill == 0


def test_what_was_refused_tells_when_all_was_well_again() -> None:
    journal = Journal(
        calls=[
            Call("poll", "a", 0, 10, REFUSED),
            Call("poll", "b", 11, 12.5, REFUSED),
            Call("poll", "b", 12, 12.7, REFUSED),
            Call("ready", "b", 30, 31, REFUSED),
        ]
    )
    assert journal.refused_seconds(5) == 2
    assert round(journal.recovered(11), 1) == 1.7
    assert journal.recovered(20) == Journal().recovered(0) == 0


def test_two_results_that_were_answered_0_are_one_too_many() -> None:
    assert Journal(graded=Counter(a=1, b=2)).doubly_graded == ["b"]
