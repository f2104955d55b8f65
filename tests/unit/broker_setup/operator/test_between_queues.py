"""What is between two queues, as commands say it: a number, or plainly that nobody knows."""

from broker_setup.operator.between_queues import BetweenQueues, from_statistics


def test_what_left_the_queues_that_are_asked_about_is_counted_queue_by_queue() -> None:
    between = from_statistics({"a": 2, "b": 0, "c": 1, "other": 7}, ["a", "b", "c"])
    assert between.known == {"a": 2, "c": 1}
    assert (between.of(["a", "b"]), between.of(["c"])) == (2, 1)
    assert str(between) == "3 (2 from a, 1 from c)"
    assert str(from_statistics({"a": 0}, ["a"])) == "0"


def test_a_queue_without_statistics_makes_it_not_known_and_not_none() -> None:
    between = from_statistics({"a": 2}, ["a", "fresh"])
    assert between.known is None
    assert between.of(["a"]) == 0
    assert str(between) == "not known: the broker has no statistics yet of fresh"


def test_what_is_not_known_is_said_with_its_reason() -> None:
    assert str(BetweenQueues({}, "why")) == "not known: why"


def test_what_is_held_is_known_where_the_broker_tells_of_each_queue() -> None:
    between = BetweenQueues({}, held={"a": 2, "b": 1})
    assert between.held_of(["a", "b"]) == 3
    assert between.held_of(["a", "fresh"]) is None
