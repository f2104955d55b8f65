"""What of a schedule's runs is said to be lost, stuck or doubled."""

from collections import Counter

import pytest

from bench.chaos.journal import Journal
from bench.chaos.outcome import Outcome, outcome, together


def judged(journal: Journal, left: int = 0) -> Outcome:
    return outcome("a", journal, lease_seconds=60, left=left, again=0, fault=(10, 20))


@pytest.mark.parametrize(("left", "lost", "stuck"), [(0, 2, 0), (1, 1, 1), (5, 0, 2)])
def test_what_had_no_callback_is_stuck_as_far_as_it_can_still_be_in_a_queue_and_lost_beyond(
    left: int, lost: int, stuck: int
) -> None:
    found = judged(Journal(accepted={"a", "b", "c"}, posted=["a"]), left)
    assert (found.answered_0, found.lost, found.stuck) == (3, lost, stuck)
    assert not found.is_good


def test_callbacks_that_came_again_break_no_promise_and_two_results_do() -> None:
    assert judged(Journal(accepted={"a"}, posted=["a", "a"])).is_good
    assert not judged(Journal(accepted={"a"}, posted=["a"], graded=Counter(a=2))).is_good


def test_runs_of_a_schedule_are_added_up_and_of_their_seconds_the_most_counts() -> None:
    one = Outcome("a", 1, 10, 0, 1, 0, 0, 2, 3, 1.5, 0.2, 4, 0.5)
    two = Outcome("a", 1, 20, 1, 0, 0, 0, 0, 1, 0.5, 0.4, 6, 2.5)
    other = Outcome("b", 1, 5, 0, 0, 0, 0, 0, 0, 0.1, 0.0, 0, 0.0)
    assert together([one, other, two]) == [Outcome("a", 2, 30, 1, 1, 0, 0, 2, 4, 1.5, 0.4, 6, 2.5), other]
