"""How many bytes of what AMQP graders sent a relay holds."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from broker_setup.link.settling import Hold
from callback_relay.bodies import COMING_SECONDS, Bodies

MOST, SMALL = 100, 10
_tags = count(1)


@dataclass(eq=False)
class Message:
    body: bytes
    redelivered: bool = False
    channel: str = "its channel"
    consumer_tag: str = "its consumer"
    delivery_tag: int = field(default_factory=lambda: next(_tags))


def of(size: int, *, redelivered: bool = False) -> Any:
    return Message(bytes(size), redelivered)


@pytest.fixture
def bodies() -> Bodies:
    return Bodies(MOST, SMALL)


def test_what_is_beyond_the_room_waits_and_comes_again_one_by_one_the_oldest_first(bodies: Bodies) -> None:
    here = [of(50), of(50)]
    assert [bodies.takes(message) for message in here] == [True, True]
    others = [of(40), of(30), of(50)]
    assert [bodies.takes(message) for message in others] == [False] * 3
    assert bodies.next() is None
    bodies.ended(here[0])
    assert bodies.next() == Hold.of(others[0])
    again = of(40, redelivered=True)
    assert bodies.takes(again)
    assert bodies.next() is None
    bodies.ended(here[1])
    assert bodies.next() == Hold.of(others[1])


def test_small_ones_are_taken_always_and_not_counted(bodies: Bodies) -> None:
    assert bodies.takes(of(MOST))
    assert all(bodies.takes(of(SMALL)) for _ in range(1000))
    assert not bodies.takes(of(SMALL + 1))


def test_what_is_larger_than_all_the_room_has_it_alone(bodies: Bodies) -> None:
    small, large = of(20), of(10 * MOST)
    assert bodies.takes(small)
    assert not bodies.takes(large)
    bodies.ended(small)
    assert bodies.next() == Hold.of(large)
    assert bodies.takes(of(10 * MOST, redelivered=True))
    assert not bodies.takes(of(20))


def test_what_is_new_takes_no_room_of_what_was_given_back_for_it(bodies: Bodies) -> None:
    here = of(MOST)
    assert bodies.takes(here)
    older, newer = of(60), of(60)
    assert not bodies.takes(older)
    bodies.ended(here)
    assert bodies.next() == Hold.of(older)
    assert not bodies.takes(newer)
    assert bodies.takes(of(60, redelivered=True))
    assert not bodies.takes(of(20))
    assert bodies.next() is None


def test_while_one_is_on_its_way_back_no_other_goes_unless_all_room_is_free(bodies: Bodies) -> None:
    here = [of(50), of(50)]
    assert all(map(bodies.takes, here))
    assert [bodies.takes(of(20)) for _ in range(3)] == [False] * 3
    bodies.ended(here[0])
    assert bodies.next()
    assert bodies.next() is None
    bodies.ended(here[1])
    assert bodies.next()
    assert bodies.takes(of(20, redelivered=True))
    assert bodies.takes(of(20, redelivered=True))
    assert bodies.next()


def test_a_delivery_ends_once_and_others_do_not_count(bodies: Bodies) -> None:
    here, another = of(MOST), of(MOST)
    assert bodies.takes(here)
    bodies.ended(another)
    assert not bodies.takes(another)
    bodies.ended(here)
    bodies.ended(here)
    assert bodies.next()
    assert bodies.takes(of(60, redelivered=True))
    assert not bodies.takes(of(60))


def test_with_the_channel_all_is_forgotten(bodies: Bodies) -> None:
    here = of(MOST)
    assert bodies.takes(here)
    assert not bodies.takes(of(50))
    bodies.lost()
    assert bodies.next() is None
    assert bodies.takes(of(MOST))
    bodies.ended(here)  # its callback was under way: void, and not counted any more
    assert not bodies.takes(of(50))


def test_what_was_given_back_and_never_came_is_waited_for_a_moment_only() -> None:
    """Its sender let it expire: each such would make all others go one at a time from then on."""
    times = [0.0]
    bodies = Bodies(MOST, SMALL, clock=lambda: times[0])
    for _ in range(3):
        here = of(MOST)
        assert bodies.takes(here)
        assert not bodies.takes(of(50))
        bodies.ended(here)
        assert bodies.next()
        times[0] += COMING_SECONDS
    assert [bodies.takes(of(20)) for _ in range(3)] == [True] * 3
