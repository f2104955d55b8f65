"""Which parked messages an operator means, and what they add up to; no I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from broker_setup.operator.filters import alike
from broker_setup.wire.parked import ParkedMessage

# Reasons are grouped without what differs from message to message: uuids, numbers of some length, hashes.
_PARTICULAR = re.compile(r"\b(?=\w*\d)\w{8,}\b")
# What a stranger can make us remember.
MAX_GROUPS = 1_000
OTHERS = "(other reasons)"


@dataclass(frozen=True)
class Selection:
    """What to take of the parked messages; None is no condition. Times are when they were parked.

    `queues` are those that the operator may act on, `correlation_ids` those that were picked one by one.
    """

    queue: str | None = None
    origin: str | None = None
    reason: str | None = None
    queues: frozenset[str] | None = None
    correlation_id: str | None = None
    correlation_ids: frozenset[str] | None = None
    submission_id: int | None = None
    before: datetime | None = None
    since: datetime | None = None

    @property
    def is_all(self) -> bool:
        """Whether it selects everything."""
        return self == Selection()

    def takes(self, parked: ParkedMessage) -> bool:
        """Say whether a message is selected; one that was parked nobody knows when is neither old nor new."""
        return (
            self.queue in {None, parked.queue}
            and (self.queues is None or parked.queue in self.queues)
            and (self.origin is None or alike(parked.origin, self.origin))
            and (self.reason is None or has_in_it(parked.reason, self.reason))
            and self.correlation_id in {None, parked.correlation_id}
            and (self.correlation_ids is None or parked.correlation_id in self.correlation_ids)
            and self.submission_id in {None, parked.submission_id}
            and (self.before is None or (parked.parked_at is not None and parked.parked_at < self.before))
            and (self.since is None or (parked.parked_at is not None and parked.parked_at >= self.since))
        )


def has_in_it(reason: str, part: str) -> bool:
    """Say whether a reason has this in it, `*` and `?` standing for any signs and any one, as an operator types it."""
    return alike(reason, f"*{part}*")


@dataclass(frozen=True)
class Group:
    """Parked messages that are alike to an operator."""

    kind: str
    queue: str
    origin: str
    reason: str


@dataclass
class Count:
    """How many, and when the first and the last of them were parked."""

    number: int = 0
    oldest: datetime | None = None
    newest: datetime | None = None

    def add(self, at: datetime | None) -> None:
        """Count one."""
        self.number += 1
        if at is not None:
            self.oldest = min(self.oldest or at, at)
            self.newest = max(self.newest or at, at)


@dataclass
class Tally:
    """What was met; `done` are redriven or discarded, `cleared` were debris, `stuck` too large or of no queue of ours.

    `missed` were ready when the walk began, and did not come. Of those that were meant, `told` have a student who was
    told: the LMS ignores what comes after that.
    """

    ready: int = 0
    seen: int = 0
    selected: int = 0
    done: int = 0
    cleared: int = 0
    stuck: int = 0
    missed: int = 0
    told: int = 0
    _groups: dict[Group, Count] = field(default_factory=dict)

    def add(self, parked: ParkedMessage) -> None:
        """Count one that was selected."""
        self.selected += 1
        reason = _PARTICULAR.sub("...", parked.reason)
        group = Group(parked.kind, parked.queue, parked.origin, reason)
        if group not in self._groups and len(self._groups) >= MAX_GROUPS:
            group = Group(parked.kind, "", "", OTHERS)
        self._groups.setdefault(group, Count()).add(parked.parked_at)

    def groups(self) -> Mapping[Group, Count]:
        """Return what was selected by kind, queue, origin and reason, the most first."""
        return dict(sorted(self._groups.items(), key=lambda item: -item[1].number))
