"""A submission that comes twice is a fault unless its lease had run out, and its grader was never answered 0."""

import pytest

from tests.support.hand_outs import HandOut, leased_beside

LEASE = 12.0


@pytest.mark.parametrize(
    ("again", "code", "is_fault"),
    [
        (12.5, None, False),
        (12.5, 1, False),  # its key is of no use any more
        (11.9, None, True),
        (12.5, 0, True),
    ],
)
def test_two_hand_outs_of_a_submission_are_a_fault_unless_its_lease_had_run_out(
    again: float, code: int | None, *, is_fault: bool
) -> None:
    first, second = HandOut(1, 0.0, 0.3), HandOut(1, again - 1, again)
    first.tried(5.0, "ClientOSError")
    if code is not None:
        first.answered(13.0, code, "")
    assert leased_beside([second, HandOut(2, 0.1, 0.2), first], LEASE) == ([(first, second)] if is_fault else [])


def test_a_hand_out_says_when_it_was_and_what_became_of_its_result() -> None:
    hand_out = HandOut(7, 1.0, 2.0)
    hand_out.tried(3.0, "ClientOSError")
    hand_out.answered(4.0, 1, "Incorrect key for submission")
    assert str(hand_out).splitlines() == [
        "7: asked 1.00, got 2.00",
        "  3.00 ClientOSError",
        "  4.00 answered 1 Incorrect key for submission",
    ]
