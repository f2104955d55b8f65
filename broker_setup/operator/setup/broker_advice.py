"""What of the broker's own settings and of its nodes differs from what docs/howto/cluster.md advises: nothing is asked.

Decided from what RabbitMQ's management API tells. It tells nothing of cluster_partition_handling, consumer_timeout,
max_message_size and dead_letter_worker_publisher_confirm_timeout, on any version; what it cannot tell is said as such.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from broker_setup.operator.setup.policy_plan import FAILED_TO_PARKED
from broker_setup.queue_arguments import DELIVERY_LIMIT
from broker_setup.topology import FORMER_RUNGS, LEDGER, RESULTS_PARKED, SUBMISSIONS_FAILED, SUBMISSIONS_PARKED

PAGE = "docs/howto/cluster.md"
# A cut-off node is noticed after 0.75 to 1.25 of it.
MOST_NET_TICKTIME = 15
# Parked ones are for people to look at; and the broker's disk holds them until somebody does.
MANY_PARKED = 10_000
MUCH_PARKED = 1024**3
# Before it a message's own x-death can end what moves dead letters, on its whole node (docs/reference/rights.md).
MINDS_NO_X_DEATH = (4, 0)
# With fewer copies of a queue, one node's end is the queue's.
SAFE_COPIES = 3


def advice(
    version: str,
    nodes: Iterable[Mapping[str, Any]],
    queues: Iterable[Mapping[str, Any]],
    *,
    has_graders: bool = False,
) -> list[str]:
    """Return what differs from the advice, a sentence each; `nodes` and `queues` are the management API's.

    Of one node only what means something there: its version's limits. `has_graders`: somebody else may publish results.
    """
    known = sorted(nodes, key=lambda node: str(node.get("name")))
    queues = list(queues)
    clustered = [*_of_nodes(known), *_of_copies(known, queues)] if len(known) > 1 else []
    queued = [*_of_leaders(queues), *_of_what_failed(queues), *_of_parked(queues), *_of_former_rungs(queues)]
    graders = _of_graders(version) if has_graders else ()
    return [*clustered, *queued, *graders, *_to_look_at(version, clustered=len(known) > 1)]


def lacks_nodes(nodes: Iterable[Mapping[str, Any]], wanted: int) -> str | None:
    """Say so if fewer nodes run than are wanted; queues get their copies when they are declared, on those that run."""
    running = sum(bool(node.get("running")) for node in nodes)
    if running >= wanted:
        return None
    return f"{running} of {wanted} nodes run: queues that are declared now would have too few copies"


def _of_nodes(nodes: list[Mapping[str, Any]]) -> Iterator[str]:
    for node in nodes:
        name = node["name"]
        if not node.get("running"):
            yield f"node {name} is not running"
        if apart := node.get("partitions"):
            yield f"node {name} and {', '.join(apart)} are apart, each for itself (a partition): {PAGE}"
        ticktime = node.get("net_ticktime")
        if isinstance(ticktime, int) and ticktime > MOST_NET_TICKTIME:
            yield (
                f"node {name} has net_ticktime = {ticktime}: polls and results are away for about so many seconds when "
                f"the ledger's node is cut off; set 10 to {MOST_NET_TICKTIME} in rabbitmq.conf"
            )


def _of_copies(nodes: list[Mapping[str, Any]], queues: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    enough = min(SAFE_COPIES, len(nodes))
    for queue in queues:
        # Quorum queues and streams have it, and no others.
        members = queue.get("members")
        name = queue["name"]
        if not isinstance(members, list) or not name.startswith("xqueue."):
            continue
        if name == LEDGER:
            lacking = [node["name"] for node in nodes if node["name"] not in members]
            if lacking:
                yield (
                    f"queue {name!r} has no copy on {', '.join(lacking)}: a gateway that is connected there hands "
                    f"nothing out; `rabbitmq-streams add_replica {name} NODE` makes one"
                )
        elif len(members) < enough:
            yield (
                f"queue {name!r} is on {len(members)} of {len(nodes)} nodes: it ends or stands still with them; "
                "`rabbitmq-queues grow NODE all` makes more copies"
            )


def _of_leaders(queues: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for queue in queues:
        members, online = queue.get("members"), queue.get("online")
        if not isinstance(members, list) or not isinstance(online, list) or not queue["name"].startswith("xqueue."):
            continue
        if 2 * len(online) <= len(members):
            away = ", ".join(sorted(set(members) - set(online)))
            yield (
                f"queue {queue['name']!r} has no leader, as too few of its nodes run: nothing goes in or out until "
                f"more of {away} are back"
            )


def of_dead_letters(before: Mapping[str, int], now: Mapping[str, int]) -> list[str]:
    """Say what left queues, by their names, and was stored nowhere at both times; on its way is what only one shows."""
    return [
        f"{number:,} messages have left queue {name!r} and are not stored where they go to: that queue, or its leader, "
        f"is away; they come by themselves when it is back ({PAGE})"
        for name, left in sorted(now.items())
        if name.startswith("xqueue.") and (number := min(left, before.get(name, 0)))
    ]


def _of_what_failed(queues: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    policy = "effective_policy_definition"
    for queue in queues:
        if queue["name"] != SUBMISSIONS_FAILED or policy not in queue:
            continue
        if not FAILED_TO_PARKED.definition.items() <= dict(queue[policy] or {}).items():
            yield (
                f"what comes back to {SUBMISSIONS_FAILED} {DELIVERY_LIMIT:,} times is dropped: run `xqueue-broker "
                "setup`, or `declare` with MANAGEMENT_URL, and it is parked (docs/reference/topology.md)"
            )


def _of_parked(queues: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for queue in queues:
        number, size = queue.get("messages", 0), queue.get("message_bytes", 0)
        if queue["name"] in {RESULTS_PARKED, SUBMISSIONS_PARKED} and (number > MANY_PARKED or size > MUCH_PARKED):
            yield (
                f"queue {queue['name']!r} holds {number:,} messages, {size / 1024**2:,.0f} MiB, and nothing bounds it: "
                "see `xqueue-broker parked list`, and whose broker user sends what is no result"
            )


def _of_former_rungs(queues: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for queue in queues:
        if not queue["name"].startswith(f"{FORMER_RUNGS}."):
            continue
        if number := queue.get("messages", 0):
            yield f"queue {queue['name']!r} is one of 0.1.0's rungs; its {number:,} results come back by themselves"
        else:
            yield (
                f"queue {queue['name']!r} is one of 0.1.0's rungs, and empty: nothing uses it when no relay of 0.1.0 "
                "runs any more, so delete it then (management UI)"
            )


def _of_graders(version: str) -> Iterator[str]:
    if _number(version) < MINDS_NO_X_DEATH:
        yield (
            f"RabbitMQ {version} with AMQP_GRADERS: one message of a hostile grader can stop what waits on rungs and "
            "for notices; take 4.0 or newer, or let graders that you don't trust use HTTP (docs/reference/rights.md)"
        )


def _to_look_at(version: str, *, clustered: bool) -> Iterator[str]:
    number = _number(version)
    unseen = []
    if clustered and number < (4, 3):
        unseen.append("cluster_partition_handling (pause_minority)")
    if number < (3, 12):
        unseen.append("consumer_timeout (86400000)")
    if number < (4, 0):
        unseen.append("max_message_size (16777216)")
    if clustered:
        unseen.append("dead_letter_worker_publisher_confirm_timeout (15000)")
    if unseen:
        yield (
            f"not known here, as the management API doesn't tell: {', '.join(unseen)}; in brackets what is advised. "
            "`rabbitmqctl environment` shows them on a node"
        )


def _number(version: str) -> tuple[int, ...]:
    """Read `3.10.8` or `4.3.0-rc.1`; what can't be read is taken for the oldest, of which most is said."""
    found = re.match(r"(\d+)\.(\d+)", version)
    return (int(found[1]), int(found[2])) if found else (0, 0)
