"""What `check` advises of a broker, from what its management API tells."""

from typing import Any

import pytest

from broker_setup.operator.setup.broker_advice import MANY_PARKED, MUCH_PARKED, advice, lacks_nodes, of_dead_letters
from broker_setup.operator.setup.policy_plan import FAILED_TO_PARKED
from broker_setup.topology import SUBMISSIONS_FAILED

NEW = "4.3.2"


def node(name: str, **others: Any) -> dict[str, Any]:
    return {"name": name, "running": True, "net_ticktime": 10, "partitions": []} | others


def queue(name: str, *members: str) -> dict[str, Any]:
    return {"name": name, "members": list(members)}


def clustered(*nodes: dict[str, Any], queues: tuple[dict[str, Any], ...] = (), version: str = NEW) -> list[str]:
    return [line for line in advice(version, nodes, queues) if not line.startswith("not known here")]


def unseen(version: str, *names: str) -> str:
    (line,) = (line for line in advice(version, map(node, names), []) if line.startswith("not known here"))
    return line


THREE = [node("a"), node("b"), node("c")]


def test_a_node_alone_on_a_new_version_leaves_nothing_to_say() -> None:
    alone = node("a", net_ticktime=60)
    assert advice(NEW, [alone], [queue("xqueue.results", "a"), queue("xqueue.ledger", "a")]) == []


def test_a_cluster_as_advised_leaves_only_what_cannot_be_seen() -> None:
    queues = (queue("xqueue.results", "a", "b", "c"), queue("xqueue.ledger", "a", "b", "c"))
    assert clustered(*THREE, queues=queues) == []


def test_a_long_net_ticktime_is_named_with_its_node() -> None:
    (line,) = clustered(node("a", net_ticktime=60), node("b", net_ticktime=15))
    assert line.startswith("node a has net_ticktime = 60: ")


def test_what_the_api_has_not_gathered_yet_or_words_as_a_change_under_way_is_no_finding() -> None:
    assert clustered({"name": "a", "running": True}, node("b", net_ticktime="undefined")) == []


def test_nodes_that_are_apart_and_one_that_is_not_running_are_named() -> None:
    apart, away = clustered(node("a", partitions=["b"]), node("b", running=False))
    assert apart.startswith("node a and b are apart")
    assert away == "node b is not running"


def test_a_ledger_without_a_copy_on_each_node_is_named_with_the_nodes() -> None:
    (line,) = clustered(*THREE, queues=(queue("xqueue.ledger", "b"),))
    assert line.startswith("queue 'xqueue.ledger' has no copy on a, c: ")


def test_a_queue_on_fewer_nodes_than_survive_the_loss_of_one_is_named_and_a_stranger_is_not() -> None:
    queues = (queue("xqueue.results", "a"), queue("somebody.else", "a"), {"name": "xqueue.relay", "node": "a"})
    (line,) = clustered(*THREE, node("d"), node("e"), queues=queues)
    assert line.startswith("queue 'xqueue.results' is on 1 of 5 nodes: ")
    assert clustered(*THREE, node("d"), node("e"), queues=(queue("xqueue.results", "a", "b", "c"),)) == []


def test_what_the_api_never_tells_is_named_where_it_matters() -> None:
    assert "consumer_timeout (86400000), max_message_size (16777216);" in unseen("3.10.8", "a")
    assert "pause_minority" not in unseen("3.10.8", "a")
    assert "cluster_partition_handling (pause_minority), dead_letter" in unseen("4.2.5", "a", "b")
    assert "cluster_partition_handling" not in unseen("4.3.0-rc.1", "a", "b")
    assert "consumer_timeout" in unseen("somebody's own build", "a")


def failed(**policy: str) -> dict[str, Any]:
    return queue(SUBMISSIONS_FAILED) | {"effective_policy_definition": policy}


def test_what_failed_and_would_be_dropped_is_named_on_one_node_too() -> None:
    (line,) = advice(NEW, [node("a")], [failed()])
    assert "xqueue.submissions.failed 1,000,000 times is dropped" in line
    (line,) = advice(NEW, [node("a")], [failed(**{"max-length": "5"})])
    assert "`declare` with MANAGEMENT_URL" in line
    assert advice(NEW, [node("a")], [failed(**FAILED_TO_PARKED.definition, more="5")]) == []


@pytest.mark.parametrize("name", ["xqueue.results.parked", "xqueue.submissions.parked"])
def test_parked_messages_without_end_are_said_by_number_and_by_size(name: str) -> None:
    def said(messages: int, size: int, queue: str = name) -> list[str]:
        queues: list[dict[str, Any]] = [
            {"name": queue, "messages": messages, "message_bytes": size},
            {"name": "just made"},
        ]
        return [line for line in advice(NEW, [], queues) if "nothing bounds it" in line]

    assert said(MANY_PARKED, MUCH_PARKED) == said(20_000, 0, "xqueue.results") == []
    [many] = said(20_000, 5 * 1024**2)
    assert many.startswith(f"queue '{name}' holds 20,000 messages, 5 MiB, ")
    assert said(213, 21 * 1024**3)


@pytest.mark.parametrize(
    ("version", "has_graders", "said"), [("3.13.7", True, 1), ("4.0.5", True, 0), ("3.10.8", False, 0)]
)
def test_before_4_0_whoever_may_publish_results_can_stop_the_dead_letters(
    version: str, *, has_graders: bool, said: int
) -> None:
    lines = advice(version, [], [], has_graders=has_graders)
    assert sum("AMQP_GRADERS" in line for line in lines) == said


def test_the_rungs_of_0_1_0_are_said_to_be_of_no_use_once_they_are_empty() -> None:
    former = {"name": "xqueue.results.retry.1h", "messages": 2}
    [line] = advice(NEW, [], [former, {"name": "xqueue.results.rung.1h", "messages": 0}])
    assert line.startswith("queue 'xqueue.results.retry.1h' is one of 0.1.0's rungs; its 2 results come back")
    [line] = advice(NEW, [], [former | {"messages": 0}])
    assert line.startswith("queue 'xqueue.results.retry.1h' is one of 0.1.0's rungs, and empty: ")


def test_setup_is_told_to_wait_for_nodes_that_do_not_run() -> None:
    assert lacks_nodes(THREE, 3) is None
    assert lacks_nodes([*THREE, node("d", running=False)], 3) is None
    assert lacks_nodes([node("a"), node("b"), node("c", running=False)], 3) == (
        "2 of 3 nodes run: queues that are declared now would have too few copies"
    )


def test_a_queue_of_whose_nodes_too_few_run_is_named_with_those_that_are_missing() -> None:
    def with_online(*online: str, name: str = "xqueue.results") -> dict[str, Any]:
        return queue(name, "a", "b", "c") | {"online": list(online)}

    [line] = clustered(*THREE, queues=(with_online("b"),))
    assert line.startswith("queue 'xqueue.results' has no leader, as too few of its nodes run: ")
    assert line.endswith("until more of a, c are back")
    assert clustered(*THREE, queues=(with_online("a", "b"), with_online(name="somebody.else"))) == []


def test_dead_letters_are_named_that_are_nowhere_at_two_times() -> None:
    [line] = of_dead_letters({"xqueue.results.rung.5s": 7, "xqueue.results": 3}, {"xqueue.results.rung.5s": 4_000})
    assert line.startswith("7 messages have left queue 'xqueue.results.rung.5s' and are not stored where they go to: ")
    assert of_dead_letters({"xqueue.results": 0, "other": 9}, {"xqueue.results": 5, "other": 9}) == []
