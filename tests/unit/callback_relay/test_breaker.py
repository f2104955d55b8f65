from callback_relay.breaker import FAILURES, Breaker, BreakerState
from callback_relay.ladder import Ladder
from callback_relay.verdict import Kind

LADDER = Ladder((1, 5, 30, 120))


def opened(at: float = 0) -> Breaker:
    breaker = Breaker(LADDER)
    for _ in range(FAILURES):
        assert breaker.admits(at)
        breaker.ended(Kind.FAILED, at)
    return breaker


def test_it_opens_after_a_run_of_failures() -> None:
    assert opened().state is BreakerState.OPEN


def test_a_success_or_a_refusal_in_between_ends_the_run() -> None:
    for kind in (Kind.DELIVERED, Kind.REFUSED):
        breaker = Breaker(LADDER)
        for _ in range(FAILURES - 1):
            breaker.ended(Kind.FAILED, 0)
        breaker.ended(kind, 0)
        for _ in range(FAILURES - 1):
            breaker.ended(Kind.FAILED, 0)
        assert breaker.state is BreakerState.CLOSED


def test_a_callback_that_could_not_be_made_says_nothing() -> None:
    breaker = Breaker(LADDER)
    for _ in range(FAILURES * 2):
        breaker.ended(Kind.HOPELESS, 0)
    assert breaker.state is BreakerState.CLOSED


def test_open_it_admits_one_probe_when_the_pause_is_over() -> None:
    breaker = opened()
    assert not breaker.admits(0.9)
    assert breaker.admits(1.0)
    assert breaker.state is BreakerState.HALF_OPEN
    assert not breaker.admits(1.1)


def test_a_probe_that_succeeds_closes_it() -> None:
    breaker = opened()
    breaker.admits(1.0)
    breaker.ended(Kind.DELIVERED, 1.2)
    assert breaker.state is BreakerState.CLOSED
    assert breaker.admits(1.2)


def test_pauses_grow_with_the_probes_that_fail_up_to_the_third_rung() -> None:
    breaker, now = opened(), 0.0
    for pause in (1, 5, 30, 30, 30):
        assert not breaker.admits(now + pause - 0.01)
        now += pause
        assert breaker.admits(now)
        breaker.ended(Kind.FAILED, now)


def test_what_was_under_way_when_it_opened_does_not_put_the_probe_off() -> None:
    breaker = opened()
    breaker.ended(Kind.FAILED, 0.9)
    assert breaker.admits(1.0)


def test_what_was_under_way_and_succeeds_closes_it() -> None:
    breaker = opened()
    breaker.ended(Kind.DELIVERED, 0.1)
    assert breaker.admits(0.1)


def test_a_probe_that_could_not_be_made_leaves_it_to_the_next() -> None:
    breaker = opened()
    breaker.admits(1.0)
    breaker.ended(Kind.HOPELESS, 1.0)
    assert breaker.admits(1.0)
