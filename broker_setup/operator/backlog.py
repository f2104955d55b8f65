"""What waits, since when, and what is leased, by queue, as the ledger has it; for operators, no I/O."""

from collections import Counter
from collections.abc import Iterator, Mapping
from sys import intern

from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import (
    AnyEvent,
    Delivered,
    Graded,
    Parked,
    Redriven,
    Retired,
    Submitted,
    Superseded,
    Undeliverable,
)
from broker_setup.ledger.frames import Frame
from broker_setup.ledger.state import LedgerState


class Backlog:
    """Adds up frames, from as far back as they are given."""

    def __init__(self) -> None:
        self._state = LedgerState()
        # Each with its queue, since when it waits, and when it was submitted, which is earlier where it was redriven.
        self._waiting: dict[bytes, tuple[str, float, float]] = {}
        self._parked: dict[bytes, tuple[str, float]] = {}  # its queue, and when it was submitted
        # When the first event was written of what was taken in.
        self.since: float | None = None

    def take(self, frame: Frame) -> None:
        """Take a frame in."""
        if self.since is None and frame.events:
            self.since = frame.events[0].at
        for event in frame.events:
            self._take(event)

    def _take(self, event: AnyEvent) -> None:
        valid = self._state.apply(event).valid
        match event:
            case Submitted():
                if self._state.standing(event.submission, event.at) is not Standing.CLOSED:
                    self._waiting.setdefault(event.submission, (intern(event.queue), event.at, event.at))
            case Parked():
                if self._state.is_parked(event.submission):
                    *_, submitted_at = self._waiting.pop(event.submission, (event.queue, event.at, event.at))
                    self._parked.setdefault(event.submission, (intern(event.queue), submitted_at))
            case Redriven():
                if valid and self._state.standing(event.submission, event.at) is not Standing.CLOSED:
                    _, submitted_at = self._parked.pop(event.submission, (event.queue, event.at))
                    self._waiting.setdefault(event.submission, (intern(event.queue), event.at, submitted_at))
            case Delivered() | Undeliverable() if event.notice or self._state.redrives(event.submission):
                pass  # of what its student is told; a relay of 0.1.0 doesn't say which it was
            # A result can be delivered without a lease in the ledger: an AMQP grader's.
            case Graded() | Superseded() | Retired() | Delivered() | Undeliverable():
                self._waiting.pop(event.submission, None)
                if isinstance(event, Retired):
                    self._parked.pop(event.submission, None)

    def parked(self) -> Mapping[str, int]:
        """Count those that were parked and neither redriven nor retired since, by queue."""
        return Counter(queue for queue, _ in self._parked.values())

    def leased(self, now: float) -> Mapping[str, int]:
        """Count the leases that run at `now`, by queue."""
        return Counter(lease.queue for lease in self._state.running(now))

    def waiting(self, queue: str, ready: int, now: float) -> int:
        """Count what waits at `now`, where `ready` messages of the broker's queue are with nobody."""
        return self._state.waiting_in(queue, ready, now)

    def oldest(self, now: float) -> Mapping[str, float]:
        """Say for each queue when the oldest submission came that waits unleased (seconds since the epoch)."""
        oldest: dict[str, float] = {}
        for submission, (queue, at, _) in self._waiting.items():
            if at < oldest.get(queue, now) and self._state.standing(submission, now) is Standing.FREE:
                oldest[queue] = at
        return oldest

    def standings(self, queue: str, now: float) -> Iterator[tuple[float, Standing]]:
        """Yield when each submission of `queue` that has not ended was submitted, and how it stands at `now`.

        What is leased and of whose submit nothing was taken in has the time of its lease.
        """
        for submission, (its_queue, _, submitted_at) in self._waiting.items():
            if its_queue == queue:
                yield submitted_at, self._state.standing(submission, now)
        for lease in self._state.running(now):
            if lease.queue == queue and lease.submission not in self._waiting:
                yield lease.granted_at, Standing.LEASED
