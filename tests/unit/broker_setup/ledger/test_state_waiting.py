"""How many wait: never fewer than there are to be graded, whatever graders hold that no ledger knows of."""

from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import Leased
from broker_setup.ledger.state import LedgerState
from tests.support.ledger_events import (
    graded,
    leased,
    parked,
    redriven,
    released,
    state_after,
    submitted,
    superseded,
    uuid_of,
)

NOW = 100.0
STEPS = ("submit", "take", "give back", "reply", "reply unheard of", "purge")


def waiting(state: LedgerState, ready: int, queue: str = "openedx", now: float = NOW) -> int:
    return state.waiting_in(queue, ready, now)


def test_where_nothing_is_superseded_the_brokers_count_is_the_answer() -> None:
    state = state_after(*(submitted(number, number, url=str(number)) for number in (1, 2, 3)))
    assert [waiting(state, ready) for ready in (0, 2, 3, 5)] == [0, 2, 3, 5]


def test_what_is_superseded_and_ready_does_not_wait() -> None:
    assert waiting(state_after(submitted(1, 0), submitted(2, 5), submitted(3, 10)), ready=3) == 1


def test_what_an_amqp_grader_holds_is_not_taken_from_what_is_ready() -> None:
    state = state_after(submitted(1, 0), submitted(2, 5))
    assert waiting(state, ready=1) == 1, "the grader holds the older one"
    assert waiting(state, ready=2) == 1, "it gave it back"
    assert waiting(state, ready=0) == 0, "it took the newer one, too"
    state.apply(graded(1, 10, ""))
    assert waiting(state, ready=1) == 1, "its reply came"


def test_of_several_that_are_superseded_only_the_ready_ones_do_not_wait() -> None:
    state = state_after(*(submitted(number, number * 5.0, url=str(number % 4)) for number in range(1, 9)))
    assert state.superseded_in("openedx") == 4
    assert [waiting(state, ready) for ready in (8, 7, 6, 5, 4, 3, 0)] == [4, 4, 4, 4, 4, 3, 0]


def test_what_is_leased_is_with_a_gateway_and_explains_no_difference() -> None:
    state = state_after(submitted(1, 0), submitted(2, 5), submitted(3, 6, url="3"), leased(3, 7, "k", until=200))
    assert waiting(state, ready=2) == 1
    assert waiting(state, ready=3, now=300) == 2, "the lease ran out, and the superseded one is still ready"


def test_what_was_released_and_then_superseded_is_subtracted_once() -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "k"), released(1, 2, "k", available_at=500), submitted(2, 5))
    state.apply(submitted(3, 6, url="3"))
    assert waiting(state, ready=2) == 2


def test_each_queue_is_counted_for_itself() -> None:
    state = state_after(submitted(1, 0), submitted(2, 5, queue="other"))
    assert waiting(state, ready=1) == 0
    assert waiting(state, ready=1, queue="other") == 1


def test_one_that_the_ledger_never_hears_of_again_hides_nothing() -> None:
    state = state_after(submitted(1, 0), submitted(2, 5))
    for number in range(3, 10):
        state.apply(submitted(number, number, url=str(number)))
        assert waiting(state, ready=number - 1) == number - 1


def test_what_was_submitted_before_the_ledger_begins_makes_it_no_lower_than_all_superseded_less() -> None:
    state = state_after(submitted(11, 0), submitted(12, 5))
    assert waiting(state, ready=10) == 9


def test_what_was_parked_and_redriven_waits_again() -> None:
    state = state_after(submitted(1, 0), parked(1, 1), redriven(1, 2), submitted(2, 9))
    assert state.superseded_in("openedx") == 1
    assert waiting(state, ready=2) == 1
    state.apply(superseded(1, 10, by=2))
    assert waiting(state, ready=1) == 1


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 20)), max_size=60))
def test_whatever_amqp_graders_do_nothing_that_waits_is_hidden_and_nothing_counted_that_is_not_ready(
    steps: list[tuple[str, int]],
) -> None:
    state = state_after()
    ready: list[int] = []
    held: list[int] = []
    urls: list[str] = []
    unheard = 0
    for at, (step, pick) in enumerate(steps):
        match step:
            case "submit":
                urls.append(str(pick % 3))
                ready.append(len(urls))
                state.apply(submitted(len(urls), at * 5.0, url=urls[-1]))
            case "take" if ready:
                held.append(ready.pop(0))
            case "give back" if held:
                ready.insert(0, held.pop(pick % len(held)))
            case "reply" if held:
                number = held.pop(pick % len(held))
                state.apply(graded(number, at * 5.0, "", url=urls[number - 1]))
            case "reply unheard of" if held:
                held.pop(pick % len(held))
                unheard += 1
            case "purge":
                unheard += len(ready)
                ready.clear()
        count = waiting(state, len(ready), now=at * 5.0)
        truth = sum(state.standing(uuid_of(number), at * 5.0) is Standing.FREE for number in ready)
        assert truth <= count <= len(ready)
        assert count - truth <= len(held) + unheard


@pytest.mark.unmeasured
def test_a_count_looks_at_no_lease_however_many_there_are() -> None:
    def seconds(leases: int) -> float:
        state = state_after(submitted(1, 0), submitted(2, 5))  # one is superseded: the ledger is asked
        for number in range(3, 3 + leases):
            state.apply(submitted(number, 6, url=str(number)))
            state.apply(leased(number, 7, str(number), url=str(number)))
        began = process_time()
        for _ in range(200):
            assert waiting(state, ready=2, now=8.0) == 1
        return process_time() - began

    # It was 100 times as long.
    assert min(seconds(20_000) for _ in range(2)) < 20 * max(seconds(200) for _ in range(2))


def test_what_is_held_is_counted_as_time_passes_and_each_end_is_still_told_once() -> None:
    state = state_after(submitted(1, 0), submitted(2, 5), submitted(3, 6, url="3"), leased(3, 7, "k", until=200))
    assert [state.expected_in("openedx", now) for now in (100, 199, 200, 300)] == [1, 1, 2, 2]
    assert [lease.submission for lease in state.run_out(300)] == [uuid_of(3)]
    assert state.run_out(301) == []


def test_the_sealed_headers_of_what_is_held_are_counted_until_it_ends_or_runs_out() -> None:
    def lease(number: int, size: int, until: float, key: str = "k") -> Leased:
        return replace(leased(number, 7, f"{key} {number}", until=until, url=str(number)), sealed="x" * size)

    state = state_after(lease(1, 100, 200), lease(2, 30, 300), lease(3, 7, 400))
    assert [state.sealed_in("openedx", now) for now in (100, 200)] == [137, 37]
    assert state.sealed_in("other", 200) == 0
    state.apply(graded(3, 210, "k 3", url="3"))
    assert state.sealed_in("openedx", 210) == 30
    assert state.sealed_in("openedx", 300) == 0
