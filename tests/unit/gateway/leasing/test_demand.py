"""The policy of a gateway-managed consumer, as tables."""

import pytest
from msgspec.structs import replace

from gateway.leasing.demand import (
    FIRST_PREFETCH,
    IDLE_SECONDS,
    MAX_BUFFERED_BYTES,
    MAX_PREFETCH,
    MAX_PREFETCH_BYTES,
    SEEN_SECONDS,
    STALE_SECONDS,
    Step,
    View,
    expected_size,
    next_prefetch,
    next_step,
)

PAUSED = View(
    consuming=False,
    prefetch=FIRST_PREFETCH,
    held=0,
    buffered=0,
    oldest=0.0,
    waiting=0,
    polls=0,
    idle=0.0,
)
RUNNING = replace(PAUSED, consuming=True, prefetch=8)


@pytest.mark.parametrize(
    ("why", "view", "step"),
    [
        ("nobody asks", PAUSED, Step.STAY),
        ("nobody has asked for long", replace(PAUSED, idle=1e9), Step.STAY),
        ("somebody waits", replace(PAUSED, waiting=1), Step.CONSUME),
        ("somebody waits and something is left over", replace(PAUSED, waiting=1, buffered=3, oldest=9.0), Step.CONSUME),
        ("something is left over, still fresh", replace(PAUSED, buffered=1, oldest=STALE_SECONDS), Step.STAY),
        ("something is left over, stale", replace(PAUSED, buffered=1, oldest=STALE_SECONDS + 0.01), Step.PAUSE),
    ],
)
def test_without_a_consumer(why: str, view: View, step: Step) -> None:
    assert next_step(view) is step, why


@pytest.mark.parametrize(
    ("why", "view", "step"),
    [
        ("nobody asks", replace(PAUSED, idle=1e9, seen=1e9), Step.STAY),
        ("somebody waits, and who knows", replace(PAUSED, waiting=1, idle=1e9, seen=SEEN_SECONDS + 0.01), Step.LOOK),
        ("somebody asked just now", replace(PAUSED, seen=SEEN_SECONDS + 0.01), Step.LOOK),
        ("it is consumed", replace(RUNNING, idle=1e9, seen=SEEN_SECONDS + 0.01), Step.LOOK),
        ("it was seen", replace(RUNNING, seen=SEEN_SECONDS), Step.STAY),
        ("paused, and consumed", replace(RUNNING, is_paused=True, waiting=9), Step.PAUSE),
        ("paused, and something waits for polls", replace(PAUSED, is_paused=True, waiting=9, buffered=1), Step.PAUSE),
        ("paused, and somebody waits", replace(PAUSED, is_paused=True, waiting=9), Step.STAY),
        ("paused, as was seen long ago", replace(PAUSED, is_paused=True, waiting=9, seen=9.0), Step.LOOK),
    ],
)
def test_an_operators_pause(why: str, view: View, step: Step) -> None:
    assert next_step(view) is step, why


@pytest.mark.parametrize(
    ("why", "view", "step"),
    [
        ("all is calm", RUNNING, Step.STAY),
        ("idle up to the limit", replace(RUNNING, idle=IDLE_SECONDS), Step.STAY),
        ("idle for too long", replace(RUNNING, idle=IDLE_SECONDS + 0.01), Step.PAUSE),
        ("a long poll waits, however long ago it came", replace(RUNNING, idle=60.0, waiting=1), Step.STAY),
        ("a delivery is fresh", replace(RUNNING, buffered=4, oldest=STALE_SECONDS), Step.STAY),
        ("a delivery is stale", replace(RUNNING, buffered=4, oldest=STALE_SECONDS + 0.01), Step.PAUSE),
        ("a delivery is stale but somebody is coming for it", replace(RUNNING, oldest=9.0, waiting=1), Step.STAY),
        ("half is leased, and somebody waits", replace(RUNNING, held=4, waiting=1), Step.ROTATE),
        ("less than half is leased", replace(RUNNING, held=3, waiting=1), Step.STAY),
        ("half is leased, but enough is buffered", replace(RUNNING, held=4, buffered=3, waiting=1), Step.STAY),
        ("half is leased, little is buffered", replace(RUNNING, held=4, buffered=2, waiting=1), Step.ROTATE),
        ("half is leased, and nobody wants more", replace(RUNNING, held=8), Step.STAY),
        ("half is leased, and polls came often enough", replace(RUNNING, held=4, polls=5), Step.ROTATE),
        ("half is leased, and polls came seldom", replace(RUNNING, held=4, polls=4), Step.STAY),
        ("the first delivery is leased", replace(RUNNING, prefetch=1, held=1), Step.STAY),
        (
            "the first delivery is leased, and somebody waits",
            replace(RUNNING, prefetch=1, held=1, waiting=1),
            Step.ROTATE,
        ),
        ("the poll that came took the only one", replace(RUNNING, prefetch=1, held=1, polls=1), Step.STAY),
        ("a lone grader took one after the other", replace(RUNNING, prefetch=1, held=1, polls=9), Step.STAY),
        ("what is buffered is large", replace(RUNNING, buffered=2, buffered_bytes=MAX_BUFFERED_BYTES), Step.STAY),
        ("too large", replace(RUNNING, buffered=2, buffered_bytes=MAX_BUFFERED_BYTES + 1), Step.PAUSE),
        (
            "too large, and somebody waits",
            replace(RUNNING, buffered=9, buffered_bytes=MAX_BUFFERED_BYTES + 1, waiting=1),
            Step.PAUSE,
        ),
        ("one delivery alone is too large", replace(RUNNING, buffered=1, buffered_bytes=2**40), Step.STAY),
        ("prefetch one, nothing leased", replace(RUNNING, prefetch=1, waiting=1), Step.STAY),
    ],
)
def test_with_a_consumer(why: str, view: View, step: Step) -> None:
    assert next_step(view) is step, why


def test_leases_never_starve_a_poll_whatever_the_prefetch() -> None:
    prefetches = {FIRST_PREFETCH}
    while (following := {next_prefetch(each, 1, 1000) for each in prefetches} | prefetches) != prefetches:
        prefetches = following
    for prefetch in prefetches:
        all_leased = replace(RUNNING, prefetch=prefetch, held=prefetch, waiting=1, idle=99.0)
        assert next_step(all_leased) is Step.ROTATE


@pytest.mark.parametrize(
    ("prefetch", "wanted", "body_bytes", "expected"),
    [
        (1, 1, 0, 2),
        (1, 1, 1_000, 2),
        (2, 1, 1_000, 4),
        (32, 1, 1_000, MAX_PREFETCH),
        (MAX_PREFETCH, 1, 1_000, MAX_PREFETCH),
        (MAX_PREFETCH, 1, MAX_PREFETCH_BYTES // 8, 8),
        (1, 1, MAX_PREFETCH_BYTES, 1),
        (MAX_PREFETCH, 1, 2 * MAX_PREFETCH_BYTES, 1),
        (0, 20, 0, 20),
        (4, 20, 1_000, 20),
        (16, 20, 1_000, 32),
        (4, 20, MAX_PREFETCH_BYTES // 8, 8),
    ],
)
def test_prefetch_doubles_or_is_what_a_poll_asks_for_up_to_what_memory_allows(
    prefetch: int, wanted: int, body_bytes: int, expected: int
) -> None:
    assert next_prefetch(prefetch, wanted, body_bytes) == expected


def test_one_large_body_is_remembered_for_a_while_and_forgotten_in_the_end() -> None:
    size = expected_size(1_000, 15_000_000)
    assert size == 15_000_000
    for _ in range(5):
        size = expected_size(size, 1_000)
    assert size > 10_000_000
    for _ in range(200):
        size = expected_size(size, 1_000)
    assert next_prefetch(MAX_PREFETCH, 1, size) == MAX_PREFETCH


def test_however_large_the_bodies_a_gateway_begins_again_with_what_it_can_keep() -> None:
    for size in (1_000, MAX_PREFETCH_BYTES // 10, MAX_PREFETCH_BYTES, 2 * MAX_PREFETCH_BYTES):
        prefetch = next_prefetch(0, 100, size)
        full = replace(RUNNING, prefetch=prefetch, buffered=prefetch, buffered_bytes=prefetch * size)
        assert next_step(full) is Step.STAY
