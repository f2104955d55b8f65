"""The goals of the relay's judgement, with the code that decides and a clock that jumps; `make simulate` shows more."""

import pytest

from bench.goals import Figure
from bench.simulation.lms import OUTAGES, Reply
from bench.simulation.scenarios import (
    HOUR,
    MINUTE,
    a_third_down,
    beside_a_sick_one,
    broken_before_good,
    many_held,
    null_scores,
    outage,
    second_submission,
    slow_strangers,
    steady_mixture,
    the_257,
    too_long,
)

pytestmark = pytest.mark.unmeasured


def missed(figures: list[Figure]) -> list[Figure]:
    return [figure for figure in figures if not figure.is_good]


@pytest.mark.parametrize("seed", range(5))
def test_good_results_do_not_wait_for_the_broken_ones_that_were_put_before_them(seed: int) -> None:
    assert not missed(broken_before_good(seed))


def test_half_of_a_steady_load_may_be_broken() -> None:
    assert not missed(steady_mixture(20))


@pytest.mark.parametrize(("kind", "reply"), OUTAGES.items(), ids=list(OUTAGES))
def test_all_is_delivered_within_a_minute_of_an_outages_end_and_none_is_parked(kind: str, reply: Reply) -> None:
    assert not missed(outage(kind, reply, 10 * MINUTE, MINUTE, count=200))


def test_after_hours_it_takes_no_longer() -> None:
    assert not missed(outage("404", OUTAGES["404"], HOUR, MINUTE, count=50))


def test_what_fails_for_too_long_is_parked_with_the_student_told_and_nothing_else() -> None:
    assert not missed(too_long(hours=0.5))


def test_four_results_that_fail_for_ever_hold_up_nobody() -> None:
    assert not missed(null_scores())


def test_a_students_second_submission_does_not_wait_for_the_first_which_is_given_up() -> None:
    assert not missed(second_submission())


def test_an_outage_that_left_results_on_a_rung_of_an_hour_leaves_none_after_a_minute() -> None:
    assert not missed(the_257())


def test_origins_that_hang_do_not_take_a_good_ones_room() -> None:
    assert not missed(slow_strangers(400))


def test_an_lms_that_is_slow_or_hangs_or_is_down_does_not_slow_another() -> None:
    assert not missed(beside_a_sick_one())


def test_with_a_third_of_the_lms_down_two_hundred_callbacks_a_second_go_on() -> None:
    assert not missed(a_third_down())


def test_however_many_wait_the_rungs_are_not_busy_with_them() -> None:
    assert not missed(many_held(700))
