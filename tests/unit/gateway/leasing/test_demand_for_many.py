"""What the policy of a consumer makes of polls that ask for many submissions at once."""

import pytest
from msgspec.structs import replace

from gateway.leasing.demand import MAX_PREFETCH, MAX_PREFETCH_BYTES, Step, View, next_prefetch, next_step

# A poll for 20 waits while a consumer with prefetch 4 runs.
WAITING = View(consuming=True, prefetch=4, held=0, buffered=0, oldest=0.0, waiting=1, polls=1, idle=0.0, wanted=20)


@pytest.mark.parametrize(
    ("why", "view", "step"),
    [
        ("nothing has come yet", WAITING, Step.STAY),
        ("more may come", replace(WAITING, buffered=3), Step.STAY),
        ("all that this consumer may have is here, and it is not enough", replace(WAITING, buffered=4), Step.ROTATE),
        ("all that it may have is leased or here", replace(WAITING, held=1, buffered=3), Step.ROTATE),
        ("there is enough", replace(WAITING, buffered=20), Step.STAY),
        ("the poll has gone", replace(WAITING, waiting=0, buffered=4), Step.STAY),
    ],
)
def test_a_consumer_that_can_not_bring_enough_is_rotated(why: str, view: View, step: Step) -> None:
    assert next_step(view) is step, why


@pytest.mark.parametrize(
    ("prefetch", "wanted", "body_bytes", "expected"),
    [
        (0, 20, 0, 20),
        (1, 20, 1_000, 20),
        (16, 20, 1_000, 32),
        (MAX_PREFETCH, 20, 1_000, MAX_PREFETCH),
        (MAX_PREFETCH, 100, 1_000, 100),
        (100, 1, 1_000, MAX_PREFETCH),
        (1, 100, MAX_PREFETCH_BYTES // 8, 8),
        (1, 100, 2 * MAX_PREFETCH_BYTES, 1),
    ],
)
def test_the_next_prefetch_is_what_was_wanted_as_far_as_memory_allows(
    prefetch: int, wanted: int, body_bytes: int, expected: int
) -> None:
    assert next_prefetch(prefetch, wanted, body_bytes) == expected
