"""What queues of earlier versions lack: their arguments can't be changed, a policy adds to them; decisions, no I/O.

`xqueue.submissions.failed` has had no place to go for what comes back too often. As an argument that would be refused
by every broker on which 0.1.0 has declared the queue.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from broker_setup.queue_arguments import DELIVERY_LIMIT
from broker_setup.topology import SUBMISSIONS_FAILED, SUBMISSIONS_PARKED

_ON_QUEUES = frozenset({"all", "queues", "quorum_queues"})


@dataclass(frozen=True)
class Policy:
    """A policy as RabbitMQ knows it; of all that fit a queue one applies, and no two add up."""

    name: str
    queue: str
    definition: Mapping[str, str] = field(hash=False)

    @property
    def body(self) -> dict[str, Any]:
        """Put it as RabbitMQ takes it."""
        pattern = f"^{re.escape(self.queue)}$"
        return {"pattern": pattern, "definition": dict(self.definition), "priority": 0, "apply-to": "queues"}


FAILED_TO_PARKED = Policy(
    SUBMISSIONS_FAILED,
    SUBMISSIONS_FAILED,
    {
        "dead-letter-exchange": "",
        "dead-letter-routing-key": SUBMISSIONS_PARKED,
        "dead-letter-strategy": "at-least-once",
        "overflow": "reject-publish",
    },
)


@dataclass(frozen=True)
class PolicyStanding:
    """How a policy stands: as it should be, to be put, or kept out by `others` that a site has on that queue."""

    as_it_should_be: bool
    others: tuple[str, ...] = ()

    @property
    def in_words(self) -> str:
        """Say what is missing, or nothing."""
        if self.others:
            return (
                f"policy {', '.join(self.others)} is on queue {SUBMISSIONS_FAILED!r}, and RabbitMQ applies one: "
                f"add to it what topology.md says, or what comes back {DELIVERY_LIMIT:,} times is dropped"
            )
        if self.as_it_should_be:
            return ""
        return (
            f"policy {FAILED_TO_PARKED.name!r} is missing: run `xqueue-broker setup`, or `declare` with MANAGEMENT_URL"
        )


def standing_of(found: Mapping[str, Mapping[str, Any]], policy: Policy = FAILED_TO_PARKED) -> PolicyStanding:
    """Compare a policy with those that are `found` at the broker, by name."""
    others = [name for name, entry in found.items() if name != policy.name and _is_on(entry, policy.queue)]
    if others:
        # One that says the same is as good as ours.
        said = all(policy.definition.items() <= found[name]["definition"].items() for name in others)
        return PolicyStanding(said, () if said else tuple(sorted(others)))
    there = found.get(policy.name, {})
    return PolicyStanding(all(there.get(key) == value for key, value in policy.body.items()))


def _is_on(entry: Mapping[str, Any], queue: str) -> bool:
    try:
        fits = re.search(entry["pattern"], queue) is not None
    except re.error:
        fits = True  # Erlang's expressions know more than ours: leave alone what may be on it
    return entry.get("apply-to", "all") in _ON_QUEUES and fits
