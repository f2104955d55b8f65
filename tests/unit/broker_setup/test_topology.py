"""The topology is data; these are the promises that this data has to keep."""

import pytest

from broker_setup.queue_arguments import CONSUMER_TIMEOUT_MS, DELIVERY_LIMIT
from broker_setup.topology import (
    CHECKED_QUEUE,
    LEDGER,
    RESULTS_PARKED,
    RESULTS_QUEUE,
    SUBMISSIONS_FAILED,
    SUBMISSIONS_PARKED,
    Binding,
    Queue,
    Topology,
    former_rung,
    is_notices_queue,
    retry_queue,
    submissions_queue,
    topology,
)

DELAYS = (0.2, 1, 90, 120, 3600)
EXAMPLE = topology(["openedx", "a.b"], DELAYS, (0, 0.5, 3600, 24 * 3600))


def queue(name: str, of: Topology = EXAMPLE) -> Queue:
    return next(queue for queue in of.queues if queue.name == name)


def rungs() -> list[Queue]:
    return [queue for queue in EXAMPLE.queues if ".rung." in queue.name]


@pytest.mark.parametrize(
    ("delay", "name"),
    [
        (0.01, "10ms"),
        (0.2, "200ms"),
        (1, "1s"),
        (1.5, "1.5s"),
        (59, "59s"),
        (60, "1m"),
        (60.0, "1m"),
        (90, "90s"),
        (120, "2m"),
        (3600, "1h"),
        (5400, "90m"),
        (10800, "3h"),
        (604800, "168h"),
    ],
)
def test_a_rung_is_named_after_its_delay_as_people_say_it(delay: float, name: str) -> None:
    assert retry_queue(delay) == f"xqueue.results.rung.{name}"
    assert former_rung(delay) == f"xqueue.results.retry.{name}", "0.1.0's name"


def test_what_a_queue_holds_is_told_in_the_units_of_its_name() -> None:
    told = " / ".join(queue.purpose for queue in topology([], (0.5, 30, 120, 10800), (86400,)).queues)
    for length in ("500 ms after", "30 s after", "2 min after", "3 h after", "24 h after"):
        assert length in told


def test_all_names_sort_together() -> None:
    names = [each.name for each in EXAMPLE.exchanges] + [each.name for each in EXAMPLE.queues]
    assert all(name.startswith("xqueue.") for name in names)


def test_no_two_queues_have_one_name() -> None:
    names = [queue.name for queue in EXAMPLE.queues]
    assert len(names) == len(set(names))


def test_a_delay_that_is_given_twice_is_one_rung() -> None:
    assert topology([], (60, 60.0, 60)) == topology([], (60,))


def test_the_order_of_the_settings_does_not_matter() -> None:
    assert topology(["b", "a"], (5, 1)) == topology(["a", "b"], (1, 5))


def test_every_queue_but_the_ledger_is_a_quorum_queue_and_says_what_it_is_for() -> None:
    for each in EXAMPLE.queues:
        assert each.arguments["x-queue-type"] == ("stream" if each.name == LEDGER else "quorum")
        assert each.purpose


def test_the_ledger_forgets_by_age_and_size_and_in_small_steps() -> None:
    ledger = queue(LEDGER, topology([], (), ledger_max_age=3600, ledger_max_size=100_000_000))
    assert ledger.arguments["x-max-age"] == "3600s"
    assert ledger.arguments["x-max-length-bytes"] == 100_000_000
    # Only whole segments are forgotten, and never the last.
    assert ledger.arguments["x-stream-max-segment-size-bytes"] == 10_000_000


def test_every_queue_that_is_consumed_has_a_delivery_limit_that_nothing_reaches() -> None:
    for each in EXAMPLE.queues:
        if each not in rungs() and each.name != LEDGER:
            assert each.arguments["x-delivery-limit"] == DELIVERY_LIMIT > 100_000


def test_dead_letters_are_never_lost_between_two_queues() -> None:
    for each in EXAMPLE.queues:
        if "x-dead-letter-exchange" in each.arguments:
            assert each.arguments["x-dead-letter-strategy"] == "at-least-once"
            assert each.arguments["x-overflow"] == "reject-publish"
            assert each.arguments["x-dead-letter-routing-key"]


def test_every_dead_letter_goes_to_a_queue_that_exists() -> None:
    names = {each.name for each in EXAMPLE.queues}
    bound = {(each.exchange, each.routing_key): each.queue for each in EXAMPLE.bindings}
    for each in EXAMPLE.queues:
        if "x-dead-letter-exchange" in each.arguments:
            exchange = str(each.arguments["x-dead-letter-exchange"])
            key = str(each.arguments["x-dead-letter-routing-key"])
            assert bound.get((exchange, key), key) in names


def test_what_a_grader_rejects_is_looked_at_again_and_what_nobody_can_read_is_parked() -> None:
    assert queue("xqueue.submissions.openedx").arguments["x-dead-letter-routing-key"] == SUBMISSIONS_FAILED
    for name in (RESULTS_QUEUE, CHECKED_QUEUE):
        assert queue(name).arguments["x-dead-letter-routing-key"] == RESULTS_PARKED


def test_a_parked_message_stays_until_somebody_comes() -> None:
    for name in (SUBMISSIONS_PARKED, RESULTS_PARKED):
        assert set(queue(name).arguments) == {"x-queue-type", "x-delivery-limit"}


@pytest.mark.parametrize(
    "name", [RESULTS_QUEUE, CHECKED_QUEUE, "xqueue.submissions.openedx", SUBMISSIONS_PARKED, RESULTS_PARKED]
)
def test_nothing_expires_or_is_pushed_out_but_on_a_rung(name: str) -> None:
    ending = {"x-message-ttl", "x-expires", "x-max-length", "x-max-length-bytes"}
    assert not ending & set(queue(name).arguments)


def test_a_rung_holds_for_its_delay_and_leads_straight_back_to_the_results_past_what_graders_write() -> None:
    assert [each.arguments["x-message-ttl"] for each in rungs()] == [200, 1_000, 90_000, 120_000, 3_600_000]
    for rung in rungs():
        assert rung.arguments["x-dead-letter-exchange"] == "xqueue.checked"
        assert rung.arguments["x-dead-letter-routing-key"] == CHECKED_QUEUE


def test_a_submission_may_be_held_longer_than_the_longest_processing_delay() -> None:
    longest_ms = 720 * 60 * 1000  # what the settings allow
    assert queue("xqueue.submissions.openedx").arguments["x-consumer-timeout"] == CONSUMER_TIMEOUT_MS > longest_ms


def test_a_submission_is_routed_by_the_name_of_its_queue() -> None:
    assert Binding("xqueue.submissions", submissions_queue("a.b"), "a.b") in EXAMPLE.bindings


def test_a_result_is_routed_by_the_name_that_graders_find_in_reply_to() -> None:
    assert Binding("xqueue.results", RESULTS_QUEUE, RESULTS_QUEUE) in EXAMPLE.bindings


def test_arguments_cannot_be_changed_by_whoever_declares_them() -> None:
    with pytest.raises(TypeError):
        EXAMPLE.queues[0].arguments["x-queue-type"] = "classic"  # type: ignore[index]


def test_each_grace_has_one_queue_from_which_notices_go_straight_to_the_results() -> None:
    notices = {each.name: each for each in EXAMPLE.queues if is_notices_queue(each.name)}
    assert list(notices) == ["xqueue.notices.500ms", "xqueue.notices.1h", "xqueue.notices.24h"]
    for each, ttl in zip(notices.values(), (500, 3_600_000, 86_400_000), strict=True):
        assert each.arguments["x-message-ttl"] == ttl
        assert each.arguments["x-dead-letter-exchange"] == "xqueue.checked"
        assert each.arguments["x-dead-letter-routing-key"] == CHECKED_QUEUE
        assert each.arguments["x-dead-letter-strategy"] == "at-least-once"
        assert each.arguments["x-overflow"] == "reject-publish"
        # Each look takes them out and puts them back.
        assert each.arguments["x-delivery-limit"] == DELIVERY_LIMIT
        assert Binding("xqueue.parked", each.name, each.name) in EXAMPLE.bindings
        assert "students to be told" in each.purpose
