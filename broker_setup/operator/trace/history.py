"""Tells the history of submissions: events in, a timeline of each out; no I/O."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from broker_setup.ledger.events import (
    Acted,
    AnyEvent,
    Delivered,
    Discarded,
    Expired,
    Extended,
    Graded,
    Leased,
    Parked,
    Redriven,
    Released,
    Retired,
    Submitted,
    Superseded,
    Undeliverable,
)
from broker_setup.ledger.frames import Frame
from broker_setup.ledger.state import LedgerState
from broker_setup.wire.properties import submission_id_of

Wanted = Callable[[AnyEvent], bool]

# Its result is stored, and nobody has told yet what became of it.
SETTLED = "settled"
# What a submission is after each event; what is not here leaves that as it was.
_BECOMES: Mapping[type, str] = {
    Submitted: "waiting",
    Leased: "leased",
    Extended: "leased",
    Released: "waiting",
    Expired: "waiting",
    Graded: SETTLED,
    Superseded: "superseded",
    Retired: "retired",
    Parked: "parked",
}
_TOLD: Mapping[type, str] = {Delivered: "student told", Undeliverable: "student not told"}
_ENDED = {SETTLED, "superseded", "retired", "parked"}


@dataclass(frozen=True)
class Step:
    """An event as it stands in the ledger: who wrote it, and whether it was void when its turn came."""

    event: AnyEvent
    writer: str
    void: bool

    @property
    def name(self) -> str:
        """What happened, in a word."""
        if isinstance(self.event, Extended) and self.event.refused:
            return "refused"
        if isinstance(self.event, Acted):
            return self.event.act
        return type(self.event).__name__.lower()

    def details(self) -> dict[str, Any]:
        """Everything that the event says beyond when and of which submission; bytes as hex, no return address."""
        fields = msgspec.structs.asdict(self.event)
        if isinstance(self.event, Submitted):
            fields["url"] = fields.pop("url_alone") or self.event.url
        return {
            name: value.hex() if isinstance(value, bytes) else value
            for name, value in fields.items()
            if name not in {"at", "submission", "sealed", "sealed_url"}
        }


@dataclass
class Timeline:
    """The steps of one submission, in the ledger's order, which decides who has it; `by_time` is for people."""

    submission: bytes
    steps: list[Step] = field(default_factory=list)
    # Of this submission alone: whether it was superseded is for the events to say.
    _state: LedgerState = field(default_factory=LedgerState)

    @property
    def submission_id(self) -> int:
        """The id on the wire."""
        return submission_id_of(self.submission)

    @property
    def queue(self) -> str:
        """The course queue, "" where no event says it."""
        return next((queue for step in self.steps if (queue := getattr(step.event, "queue", ""))), "")

    def add(self, event: AnyEvent, writer: str) -> None:
        """Append an event."""
        self.steps.append(Step(event, writer, void=not self._state.apply(event).valid))

    def by_time(self) -> list[Step]:
        """Return the steps by the writers' clocks, the submit first: it can be noted after its first lease."""
        first = next((step for step in self.steps if isinstance(step.event, Submitted)), None)
        return sorted(self.steps, key=lambda step: (step is not first, step.event.at))

    def standing(self, now: float) -> str:
        """Say in a word or two what has become of it: `waiting`, `leased`, `parked, student told`, ..."""
        words, lease_ends = self._become()
        if lease_ends is not None and lease_ends <= now:
            words[0] = "waiting"
        return ", ".join(words)

    def lease_ended(self, now: float) -> float | None:
        """Say when its lease ran out (seconds since the epoch), if nothing has come after that lease."""
        _, lease_ends = self._become()
        return lease_ends if lease_ends is not None and lease_ends <= now else None

    def _become(self) -> tuple[list[str], float | None]:
        # What the events say it is, and when its lease ends, or ended, if it is leased.
        standing, delivery, told, lease_ends, redriven = "", "", "", 0.0, False
        for step in self.steps:
            if step.void:
                continue
            match step.event:
                case Delivered() | Undeliverable() as event if event.notice:
                    told = _TOLD[type(event)]
                case Delivered() | Undeliverable() if redriven and standing not in _ENDED:
                    pass  # of the notice by which its student heard that it was parked, as a relay of 0.1.0 wrote it
                case Delivered() | Undeliverable() | Discarded() as event:
                    delivery = type(event).__name__.lower()
                case Redriven():
                    standing, delivery, redriven = "waiting", "", True
                case Retired() if standing == "parked":
                    standing = "retired"
                case event if standing not in _ENDED:
                    standing = _becomes(event, standing)
                    lease_ends = _lease_ends(event, lease_ends)
        # Of an AMQP grader's result the lease was between it and the broker.
        stands = "" if delivery and standing not in _ENDED else standing
        words = [word for word in (stands, delivery, told) if word]
        return words or [""], lease_ends if stands == "leased" else None


def _becomes(event: AnyEvent, standing: str) -> str:
    # A submit can be noted after its first lease.
    late = standing and isinstance(event, Submitted)
    return standing if late else _BECOMES.get(type(event), standing)


def _lease_ends(event: AnyEvent, before: float) -> float:
    match event:
        case Leased():
            return event.expires_at
        case Extended():
            return max(before, event.expires_at)
    return before


class History:
    """Collects the timelines of the submissions that `wanted` picks out by any of their events."""

    def __init__(self, wanted: Wanted) -> None:
        self._wanted = wanted
        self._timelines: dict[bytes, Timeline] = {}

    def take(self, frame: Frame) -> None:
        """Take a frame in."""
        for event in frame.events:
            timeline = self._timelines.get(event.submission)
            if timeline is None and self._wanted(event):
                timeline = self._timelines[event.submission] = Timeline(event.submission)
            if timeline:
                timeline.add(event, frame.writer)

    def newest(self, limit: int) -> list[Timeline]:
        """Return the `limit` timelines that began last, in the order in which they began."""
        return list(self._timelines.values())[-limit:]


class Sighting:
    """Remembers which submissions had an event that `wanted` picks out, the `limit` seen last."""

    def __init__(self, wanted: Wanted, limit: int) -> None:
        self._wanted = wanted
        self._limit = limit
        self.submissions: OrderedDict[bytes, None] = OrderedDict()

    def take(self, frame: Frame) -> None:
        """Take a frame in."""
        for event in frame.events:
            if self._wanted(event):
                self.submissions[event.submission] = None
                self.submissions.move_to_end(event.submission)
                if len(self.submissions) > self._limit:
                    self.submissions.popitem(last=False)
