"""What a gateway's copy of the state costs, and what it forgets."""

import gc
import tracemalloc
from collections.abc import Callable
from itertools import count
from time import process_time

import pytest
from msgspec.structs import replace

from broker_setup.ledger.answers import Refusal
from broker_setup.ledger.state import LedgerState, settled
from broker_setup.ledger.state.closed import CLOSED_SECONDS
from broker_setup.ledger.state.settled import SETTLED_MAX, SETTLED_SECONDS
from tests.support.ledger_events import (
    facts,
    graded,
    id_of,
    leased,
    parked,
    retired,
    state_after,
    submitted,
    superseded,
)


def sizes(state: LedgerState) -> dict[str, int]:
    return {name: len(value) for name, value in facts(state).items() if hasattr(value, "__len__")}


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
    for name in ("_queues", "_number_in"):
        left.pop(name)
    assert all(count <= 2 for count in left.values()), left


@pytest.mark.unmeasured
def test_what_settled_lately_is_bounded_by_number_too() -> None:
    state = state_after()
    for number in range(SETTLED_MAX + 100):
        state.apply(leased(number, 0, str(number)))
        state.apply(graded(number, 0, str(number)))
    known = sizes(state)
    assert known["_settled"] == known["_by_id"] == known["_by_key"] == SETTLED_MAX


def test_what_is_settled_once_more_when_its_end_was_forgotten_is_forgotten_in_its_own_time() -> None:
    first, second = 0.0, CLOSED_SECONDS * 2
    state = state_after(leased(1, first, "k"), graded(1, first, "k"))
    state.apply(retired(2, second))  # forgets that 1 was closed; no result came that would forget what settled it
    state.apply(leased(1, second, "l"))
    state.apply(graded(1, second, "l"))
    assert state.may_take(id_of(1), "l", b"d", second) is Refusal.REPEAT
    later = second + SETTLED_SECONDS + 1
    state.apply(leased(3, later, "m"))
    state.apply(graded(3, later, "m"))
    assert state.may_take(id_of(1), "l", b"d", later) is Refusal.UNKNOWN_SUBMISSION


@pytest.mark.unmeasured
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


@pytest.mark.unmeasured
@pytest.mark.parametrize("queue", ["openedx", "never"])
def test_ten_thousand_of_one_url_cost_no_more_than_as_many_of_different_ones(queue: str) -> None:
    many = 10_000

    def seconds(url: Callable[[int], str]) -> float:
        state = state_after()
        began = process_time()
        # At once, or each would supersede those before it.
        for number in range(many):
            state.apply(submitted(number, 0, url=url(number), queue=queue))
        for number in range(many):
            state.apply(graded(number, 1, "k", url=url(number), queue=queue))
        return process_time() - began

    # Some 10 times as long, or no longer where nothing is superseded. Unbounded it was 600 times, and grew with each.
    assert seconds(lambda _: "one") < 50 * seconds(str)


def test_a_queue_that_does_not_supersede_is_not_remembered_by_url() -> None:
    state = state_after(*(submitted(number, 0, queue="never") for number in range(1, 1_000)))
    assert sizes(state)["_entries"] == 0


def test_what_settled_lately_is_bounded_in_bytes_of_sealed_headers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settled, "SETTLED_MAX_BYTES", 1_000_000)
    state = state_after()
    for number in range(1, 101):
        large = replace(leased(number, number, str(number)), sealed=112 * 1024 * "s")
        state.apply(large)
        state.apply(graded(number, number, str(number)))
    kept = [
        number for number in range(1, 101) if state.may_take(id_of(number), str(number), b"d", 101) is Refusal.REPEAT
    ]
    assert kept == list(range(93, 101)), "the newest, 112 KiB each"
