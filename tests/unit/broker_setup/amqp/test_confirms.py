"""The broker's word on publishes: for one or for all up to it, that it stored them, did not, or found no queue."""

from collections.abc import Sequence

import pytest

from broker_setup.amqp.confirms import Confirm, Confirms
from broker_setup.amqp.errors import AmqpError, ChannelClosedError, ConnectionLostError, NackedError, ReturnedError


@pytest.fixture
def confirms() -> Confirms:
    return Confirms()


def add(confirms: Confirms, number: int) -> Sequence[Confirm]:
    return [confirms.add(f"message {each}") for each in range(1, number + 1)]


def done(publishes: Sequence[Confirm]) -> list[bool]:
    return [each.done for each in publishes]


def test_one_is_confirmed_by_its_number_in_any_order(confirms: Confirms) -> None:
    publishes = add(confirms, 3)
    confirms.settle(2, multiple=False, stored=True)
    assert done(publishes) == [False, True, False]
    confirms.settle(3, multiple=False, stored=True)
    confirms.settle(1, multiple=False, stored=True)
    assert done(publishes) == [True] * 3
    assert not any(each.error for each in publishes)


def test_with_multiple_all_up_to_it_are_confirmed_and_those_behind_it_are_not(confirms: Confirms) -> None:
    publishes = add(confirms, 4)
    confirms.settle(2, multiple=False, stored=True)
    confirms.settle(3, multiple=True, stored=True)
    assert done(publishes) == [True, True, True, False]


def test_with_multiple_and_no_number_all_are(confirms: Confirms) -> None:
    publishes = add(confirms, 3)
    confirms.settle(0, multiple=True, stored=True)
    assert done(publishes) == [True] * 3


def test_what_was_not_stored_is_an_error_and_a_word_on_what_is_unknown_is_none(confirms: Confirms) -> None:
    [publish] = add(confirms, 1)
    confirms.settle(7, multiple=False, stored=False)
    assert not publish.done
    confirms.settle(1, multiple=False, stored=False)
    assert isinstance(publish.error, NackedError)


def test_of_those_that_no_queue_took_each_knows_it_once_it_is_confirmed(confirms: Confirms) -> None:
    publishes = add(confirms, 3)
    confirms.returned("message 2")
    assert done(publishes) == [False] * 3
    confirms.settle(3, multiple=True, stored=True)
    assert [type(each.error) for each in publishes] == [type(None), ReturnedError, type(None)]


@pytest.mark.parametrize("error", [ConnectionLostError("gone"), ChannelClosedError("closed", 404)])
def test_a_channel_that_ends_ends_what_waits_and_tells_whoever_wants_to_know(
    confirms: Confirms, error: AmqpError
) -> None:
    first, second = add(confirms, 2)
    told: list[AmqpError | None] = []
    confirms.settle(1, multiple=False, stored=True)
    first.then(lambda: told.append(first.error))
    second.then(lambda: told.append(second.error))
    confirms.end(error)
    assert told == [None, error]
