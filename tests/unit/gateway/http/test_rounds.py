"""Who goes round several queues with block=true waits at none for long; who has a thread for each waits at all."""

from gateway.http.rounds import MEMORY_SECONDS, ROUND_SECONDS, Rounds
from tests.support.clock import Clock

WAIT = 55.0


def test_a_client_of_one_queue_waits_as_long_as_it_likes() -> None:
    rounds = Rounds()
    for _ in range(3):
        assert rounds.patience("grader", "a", WAIT) == WAIT
        with rounds.asking("grader", "a"):
            pass


def test_from_its_second_queue_on_a_client_that_goes_round_waits_a_second_at_each() -> None:
    rounds, waits = Rounds(), []
    for queue in "abcabc":
        waits.append(rounds.patience("grader", queue, WAIT))
        with rounds.asking("grader", queue):
            pass
    assert waits == [WAIT] + [ROUND_SECONDS] * 5


def test_a_client_that_asks_its_queues_at_the_same_time_waits_at_each() -> None:
    rounds = Rounds()
    with rounds.asking("grader", "a"), rounds.asking("grader", "b"):
        assert rounds.patience("grader", "c", WAIT) == WAIT
        assert rounds.patience("grader", "a", WAIT) == WAIT


def test_one_client_does_not_shorten_anothers_wait() -> None:
    rounds = Rounds()
    with rounds.asking("one", "a"):
        pass
    assert rounds.patience("other", "b", WAIT) == WAIT


def test_a_queue_that_was_asked_long_ago_is_on_no_round() -> None:
    clock = Clock()
    rounds = Rounds(clock)
    with rounds.asking("grader", "a"):
        pass
    clock.now += MEMORY_SECONDS
    assert rounds.patience("grader", "b", WAIT) == WAIT


def test_who_would_not_wait_for_a_second_does_not() -> None:
    rounds = Rounds()
    with rounds.asking("grader", "a"):
        pass
    assert rounds.patience("grader", "b", 0.0) == 0.0
