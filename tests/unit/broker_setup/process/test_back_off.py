"""When a process that ended is started again."""

from broker_setup.process.back_off import FIRST_DELAY, LAST_DELAY, STEADY_SECONDS, next_delay


def test_the_first_restart_is_quick() -> None:
    assert next_delay(None, ran=0) == FIRST_DELAY


def test_one_that_keeps_ending_waits_longer_each_time_up_to_a_limit() -> None:
    delays = [FIRST_DELAY]
    for _ in range(10):
        delays.append(next_delay(delays[-1], ran=0.1))
    assert delays == sorted(delays)
    assert delays[1] == 2 * FIRST_DELAY
    assert delays[-1] == LAST_DELAY


def test_one_that_ran_steadily_starts_again_at_once() -> None:
    assert next_delay(LAST_DELAY, ran=STEADY_SECONDS) == FIRST_DELAY
