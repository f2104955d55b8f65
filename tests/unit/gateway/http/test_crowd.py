"""Who has to go when there is no room: the silent, who has its answer, who drips; never who is being served."""

from gateway.http.crowd import GRACE_SECONDS, LATE_ROOM, LEAST_BYTES_PER_SECOND, PATIENCE_SECONDS, Crowd
from tests.support.clock import Clock


def crowd(room: int, kept: str = "") -> tuple[Crowd[str], Clock]:
    clock = Clock()
    return Crowd(room, kept.__contains__, clock), clock


def test_as_long_as_there_is_room_nobody_goes() -> None:
    some, clock = crowd(3)
    assert [some.came(name) for name in "abc"] == [None] * 3
    clock.now += 100
    assert not some.is_too_large


def test_who_has_been_silent_for_longest_goes_first() -> None:
    some, clock = crowd(2)
    for name in "ab":
        some.came(name)
        clock.now += GRACE_SECONDS
    assert some.came("c") == "a"
    clock.now += GRACE_SECONDS
    assert some.came("d") == "b"
    assert not some.is_too_large


def test_who_never_asked_goes_before_who_has_its_answer() -> None:
    some, clock = crowd(2)
    some.came("kept")
    some.asks("kept")
    some.has_answer("kept")
    some.came("silent")
    clock.now += GRACE_SECONDS
    assert some.came("new") == "silent"
    some.asks("new")
    clock.now += GRACE_SECONDS
    assert some.came("newer") == "kept"


def test_who_is_being_served_stays_and_the_newcomer_is_one_too_many() -> None:
    some, clock = crowd(2)
    for name in "ab":
        some.came(name)
        some.asks(name)
        some.is_served(name)
    clock.now += 1000
    assert some.came("c") is None
    assert some.is_too_large
    some.left("a")
    assert not some.is_too_large


def test_who_has_just_come_may_ask_before_it_has_to_go() -> None:
    some, clock = crowd(1)
    some.came("a")
    assert some.came("b") is None
    clock.now += GRACE_SECONDS
    assert some.came("c") == "a"


def test_there_are_never_more_than_the_late_ones_beyond_the_room() -> None:
    some, _ = crowd(5)
    gone = [some.came(str(number)) for number in range(5 + LATE_ROOM + 3)]
    assert gone == [None] * (5 + LATE_ROOM) + ["0", "1", "2"]


def test_an_answer_to_a_connection_that_has_gone_brings_nobody_back() -> None:
    some, _ = crowd(1)
    some.came("a")
    some.asks("a")
    some.left("a")
    some.has_answer("a")
    some.came("b")
    assert not some.is_too_large


def test_of_those_whose_bodies_drip_the_slowest_go_first() -> None:
    some, clock = crowd(3)
    for name, pieces in (("fast", LEAST_BYTES_PER_SECOND), ("slow", 1000), ("slower", 1)):
        some.came(name)
        some.asks(name)
        for _ in range(10):
            clock.now += 1
            some.sends(name, pieces)
        clock.now -= 10
    clock.now += 10
    assert [some.came("a"), some.came("b")] == ["slower", "slow"]
    assert some.came("c") is None
    assert some.is_too_large


def test_who_drips_goes_before_who_has_its_answer_and_may_ask_again() -> None:
    some, clock = crowd(2)
    for name in ("kept", "slow"):
        some.came(name)
        some.asks(name)
    some.has_answer("kept")
    clock.now += PATIENCE_SECONDS
    assert some.came("new") == "slow"
    some.asks("new")
    assert some.came("newer") == "kept"


def test_a_body_that_stops_goes_after_a_moment_however_much_came_of_it() -> None:
    some, clock = crowd(1)
    some.came("large")
    some.asks("large")
    some.sends("large", 1000 * LEAST_BYTES_PER_SECOND)
    clock.now += PATIENCE_SECONDS / 2
    assert some.came("early") is None
    some.left("early")
    clock.now += PATIENCE_SECONDS / 2
    assert some.came("new") == "large"


def test_a_body_that_is_not_read_is_not_late() -> None:
    some, clock = crowd(2, kept="b")
    for name in "ab":
        some.came(name)
        some.asks(name)
    clock.now += 10 * PATIENCE_SECONDS
    assert some.came("c") == "a"
    some.asks("c")
    some.is_served("c")
    assert some.came("d") is None


def test_who_drips_what_is_answered_already_is_one_that_asks_nothing() -> None:
    some, clock = crowd(1)
    some.came("a")
    some.asks("a")
    some.has_answer("a")
    some.is_served("a")
    some.sends("a", 1)
    clock.now += GRACE_SECONDS
    assert some.came("b") == "a"
    some.left("b")
    assert some.came("c") is None
