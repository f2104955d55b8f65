"""What the clients saw, and what is to be counted of it: nothing here talks to anybody."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

# A second is refused where something that was asked in it got no answer, or 503.
REFUSED, TAKEN, EMPTY = "refused", "taken", "empty"
# Every call is answered within 2.5 s, and a poll waits for a second before that.
ANSWER_SECONDS = 3.5


@dataclass(frozen=True)
class Call:
    """One call: of which kind, at which gateway, from when to when, and what came of it; times of one clock.

    It ends with its answer, with its connection's end, or where the client has waited long enough.
    """

    kind: str  # submit, poll, result or ready
    gateway: str
    began: float
    ended: float
    outcome: str


@dataclass(frozen=True)
class Standstill:
    """A gateway's process was stopped from when to when: nobody could have answered there."""

    gateway: str
    since: float
    until: float

    def overlaps(self, call: Call) -> bool:
        """Whether a call waited for an answer there in that time."""
        return call.gateway == self.gateway and call.began < self.until and call.ended > self.since


@dataclass(frozen=True)
class Lease:
    """A submission that was handed to a grader, by a poll that began and ended then."""

    key: str
    began: float
    ended: float


@dataclass
class Journal:
    """Everything that the LMS and the graders saw; submissions are told apart by the LMS's key."""

    calls: list[Call] = field(default_factory=list)
    standstills: list[Standstill] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)
    leases: list[Lease] = field(default_factory=list)
    graded: Counter[str] = field(default_factory=Counter)  # how often a result of each was answered 0
    settled: dict[str, float] = field(default_factory=dict)  # when its result was answered 0
    turned_down: list[str] = field(default_factory=list)  # what a result was told that was in time and not taken
    posted: list[str] = field(default_factory=list)  # each callback that the LMS got and took
    posted_at: dict[str, float] = field(default_factory=dict)  # when the first of each came

    @property
    def missing(self) -> set[str]:
        """What was accepted and has had no callback."""
        return self.accepted - set(self.posted)

    @property
    def repeats(self) -> int:
        """How many callbacks came again."""
        return len(self.posted) - len(set(self.posted))

    @property
    def slowest(self) -> float:
        """How long a result that was taken has waited for its callback at the most, in seconds."""
        return max((self.posted_at[key] - at for key, at in self.settled.items() if key in self.posted_at), default=0)

    @property
    def doubly_graded(self) -> list[str]:
        """Return what had more than one result that was answered 0."""
        return [key for key, times in self.graded.items() if times > 1]

    @property
    def slowest_answer(self) -> float:
        """How long a call has waited at the most, answered or not, at gateways that ran all the while; in seconds."""
        return max(self._waits().values(), default=0.0)

    @property
    def slow(self) -> Mapping[Call, float]:
        """What has waited longer than it should have, and for how many seconds, as in `slowest_answer`."""
        return {call: waited for call, waited in self._waits().items() if waited > ANSWER_SECONDS}

    @property
    def slowest_after_standstill(self) -> float:
        """How long after a gateway went on the last of what it had been asked before was answered; in seconds."""
        return max([0.0, *(call.ended - still.until for call in self.calls for still in self._stood_still(call))])

    def _waits(self) -> Mapping[Call, float]:
        return {call: call.ended - call.began for call in self.calls if not any(self._stood_still(call))}

    def _stood_still(self, call: Call) -> Iterable[Standstill]:
        return (still for still in self.standstills if still.overlaps(call))

    def refused_seconds(self, since: float) -> int:
        """Count the seconds after `since` in which some gateway refused something, readiness aside."""
        return len({int(call.ended - since) for call in self._refusals(since)})

    def recovered(self, since: float) -> float:
        """How long after `since` something was refused for the last time; in seconds, 0 where nothing was."""
        return max((call.ended - since for call in self._refusals(since)), default=0.0)

    def _refusals(self, since: float) -> Iterable[Call]:
        return (call for call in self.calls if call.outcome == REFUSED and call.kind != "ready" and call.ended > since)

    def doubly_leased(self, lease_seconds: float) -> list[str]:
        """Return what was handed out again though its lease ran, or its result had been taken."""
        first: dict[str, Lease] = {}
        doubled = []
        for lease in sorted(self.leases, key=lambda lease: lease.ended):
            before = first.get(lease.key)
            settled = self.settled.get(lease.key, math.inf)
            if (before and lease.ended < before.began + lease_seconds) or lease.began > settled:
                doubled.append(lease.key)
            first[lease.key] = lease
        return doubled

    def seconds(self, kind: str, gateway: str, since: float, until: float, outcome: str = REFUSED) -> int:
        """Count the seconds in which a call of that kind had that outcome."""
        return len(self.seconds_of(kind, gateway, since, until, outcome))

    def seconds_of(self, kind: str, gateway: str, since: float, until: float, outcome: str) -> set[int]:
        """Number the seconds after `since` in which a call of that kind had that outcome."""
        found: set[int] = set()
        for call in self.of(kind, gateway, since, until):
            if call.outcome == outcome:
                found.update(range(int(max(call.began, since) - since), int(min(call.ended, until) - since) + 1))
        return found

    def of(self, kind: str, gateway: str, since: float, until: float) -> Sequence[Call]:
        """Return the calls of a kind at a gateway that were under way in that time."""
        return _in_time((one for one in self.calls if one.kind == kind and one.gateway == gateway), since, until)


def _in_time(calls: Iterable[Call], since: float, until: float) -> Sequence[Call]:
    return [call for call in calls if call.ended >= since and call.began < until]
