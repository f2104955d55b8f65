import pytest

from callback_relay.ladder import LOWER_RUNG_CHANCE, Ladder

LADDER = Ladder((30, 1, 5, 120, 5))
HIGH = 0.99
LOW = LOWER_RUNG_CHANCE / 2


def test_the_rungs_stand_in_order_whatever_order_they_are_given_in() -> None:
    assert LADDER.delays == (1, 5, 30, 120)
    assert LADDER.shortest == 1


@pytest.mark.parametrize(("waits", "delay"), [(0, 1), (1, 5), (2, 30), (3, 120), (4, 120), (1_000_000, 120)])
def test_each_wait_goes_one_rung_up_and_the_last_repeats(waits: int, delay: float) -> None:
    assert LADDER.after(waits, HIGH) == delay


@pytest.mark.parametrize(("waits", "delay"), [(0, 1), (1, 1), (2, 5), (3, 30), (9, 30)])
def test_by_chance_a_wait_is_on_the_rung_below(waits: int, delay: float) -> None:
    assert LADDER.after(waits, LOW) == delay


@pytest.mark.parametrize(("at_least", "delay"), [(0, 1), (1, 1), (2, 5), (30, 30), (31, 120), (9999, 120)])
def test_it_waits_as_long_as_the_lms_asks_up_to_the_largest_rung(at_least: float, delay: float) -> None:
    assert LADDER.after(0, HIGH, at_least=at_least) == delay


def test_a_short_wish_of_the_lms_does_not_shorten_the_wait() -> None:
    assert LADDER.after(3, HIGH, at_least=1) == 120


@pytest.mark.parametrize(("seconds", "delay"), [(0, 1), (0.5, 1), (4.9, 1), (5, 5), (119, 30), (9999, 120)])
def test_towards_a_moment_goes_the_longest_rung_that_is_not_too_long(seconds: float, delay: float) -> None:
    assert LADDER.towards(seconds) == delay


def test_one_rung_is_enough() -> None:
    ladder = Ladder([7])
    assert (ladder.after(0, LOW), ladder.after(9, HIGH, at_least=100), ladder.towards(1)) == (7, 7, 7)
