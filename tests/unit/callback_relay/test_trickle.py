"""How a sick LMS is asked."""

import pytest

from callback_relay.ladder import Ladder
from callback_relay.sick_rung import CHURN, SILENT_CHURN, sick_rung
from callback_relay.trickle import Trickle

LADDER = Ladder((1, 5, 30, 120, 600, 3600, 10800))


def sick() -> Trickle:
    trickle = Trickle(LADDER, 32)
    trickle.sickened(0)
    return trickle


def probes(trickle: Trickle, seconds: float, *, answered: bool, is_tried: bool) -> list[float]:
    """Let each probe fail at once; return when each went."""
    times = []
    while (now := trickle.due_at(is_tried=is_tried)) < seconds:
        trickle.probed(now)
        trickle.failed(now, answered=answered)
        times.append(now)
    return times


def test_at_first_two_in_a_second_and_after_a_minute_one_in_fifteen() -> None:
    times = probes(sick(), 600, answered=True, is_tried=True)
    assert len([at for at in times if at <= 2]) == 3
    assert 10 < len([at for at in times if at <= 60]) < 20
    assert times[-1] - times[-2] == 15


def test_what_was_never_tried_goes_on_at_one_in_a_second_where_the_lms_answers_at_all() -> None:
    assert len(probes(sick(), 600, answered=True, is_tried=False)) > 590
    assert len(probes(sick(), 600, answered=False, is_tried=False)) < 60


def test_a_probe_waits_as_long_as_the_lms_asks_but_no_longer_than_the_third_rung() -> None:
    trickle = sick()
    trickle.failed(0, answered=True, asked=7)
    assert trickle.due_at(is_tried=False) == 7
    trickle.failed(10, answered=True, asked=86400)
    assert trickle.due_at(is_tried=False) == 40


def test_one_that_is_back_is_asked_one_at_a_time_and_twice_as_many_with_each_success() -> None:
    trickle = sick()
    trickle.succeeded(was_sick=True)
    limits = [trickle.limit]
    for _ in range(7):
        trickle.succeeded(was_sick=False)
        limits.append(trickle.limit)
    assert limits == [1, 2, 4, 8, 16, 32, 32, 32]


@pytest.mark.parametrize(
    ("pause", "held", "all_held", "rung"),
    [
        (0.5, 10, 10, 1),
        (2, 10, 10, 1),
        (2.1, 10, 10, 5),
        (15, 10, 10, 30),
        # So that no more than so many a second go round.
        (0.5, CHURN, CHURN, 1),
        (0.5, CHURN + 1, CHURN + 1, 5),
        (0.5, 5 * CHURN + 1, 5 * CHURN + 1, 30),
        (15, 30 * CHURN, 30 * CHURN, 30),
        (15, 30 * CHURN + 1, 30 * CHURN + 1, 120),
        (15, 10**9, 10**9, 600),
        # Those of others put it off, too, but to the third rung at the most.
        (0.5, 10, 10**9, 30),
    ],
)
def test_what_waits_for_it_is_back_about_when_it_is_probed(
    pause: float, held: float, all_held: float, rung: float
) -> None:
    assert sick_rung(LADDER, pause, int(held), int(all_held), answers=True) == rung


@pytest.mark.parametrize(
    ("held", "rung"), [(SILENT_CHURN, 1), (SILENT_CHURN + 1, 5), (5 * SILENT_CHURN + 1, 30), (30 * CHURN + 1, 120)]
)
def test_of_what_waits_for_one_that_does_not_answer_little_goes_round(held: float, rung: float) -> None:
    assert sick_rung(LADDER, 0.5, int(held), int(held), answers=False) == rung


def test_one_rung_is_enough() -> None:
    assert sick_rung(Ladder([7]), 15, 10**6, 10**6, answers=True) == 7
    assert Trickle(Ladder([7]), 1).due_at(is_tried=True) == 3.5
