"""What comes back again and again is tolerated less after each attempt that failed."""

from broker_setup.settings import Settings
from xqueue_grader import Options
from xqueue_grader.options import tolerated_returns


def test_what_never_failed_may_come_back_often_and_what_fails_again_and_again_once() -> None:
    assert [tolerated_returns(attempt, 20) for attempt in range(1, 8)] == [20, 10, 5, 2, 1, 1, 1]
    assert [tolerated_returns(attempt, 1) for attempt in range(1, 8)] == [1] * 7
    assert tolerated_returns(0, 20) == 20
    assert tolerated_returns(2**32, 20) == 1


def test_so_many_deaths_of_graders_are_enough_to_park_a_submission() -> None:
    attempts = range(1, Settings().max_attempts + 1)
    assert sum(tolerated_returns(attempt, Options().returns) for attempt in attempts) == 53
