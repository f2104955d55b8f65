"""The site's figures, by queue, from the ledger's events: what waits and since when, how long it took, how it ended.

One figure for a site, however many gateways it has: they all write to one ledger. No I/O, no clock.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar

from msgspec import Struct

from broker_setup.ledger.answers import Outcome, Standing
from broker_setup.ledger.events import (
    AnyEvent,
    Delivered,
    Expired,
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
from broker_setup.ledger.state import LedgerState
from gateway.console.figures.queue_figures import QueueFigures

# All queues that the settings don't have: there may be any number, and each would be a dozen series for ever.
OTHER = "other"


class _Lease(Struct):
    queue: QueueFigures
    key: bytes
    grader: str
    at: float
    since: float | None  # when its submission began to wait; None: not heard of yet
    runs: bool = True


class Figures:
    """Adds up events, from as far back as they are given; the state has applied each before it is taken in here."""

    def __init__(self, queues: Iterable[str], state: LedgerState) -> None:
        """`queues` are those of the settings."""
        self.queues = {**{queue: QueueFigures() for queue in queues}, OTHER: QueueFigures()}
        self._state = state
        self._leases: dict[bytes, _Lease] = {}  # the last of each submission that has not ended
        self._counts = False

    def take(self, event: AnyEvent, outcome: Outcome, *, is_new: bool) -> None:
        """Take an event in; what counts is counted if it `is_new`, not of a replay.

        A counter that began at another moment after each restart would look to a Prometheus as if all of it had just
        happened.
        """
        take = self._TAKES.get(type(event))
        if take:
            self._counts = is_new
            take(self, event, outcome)

    def oldest(self, queue: str, now: float) -> float | None:
        """Say since when the submission waits that has waited longest unleased; None if there is none."""
        for submission, since in self.queues[queue].waiting.items():
            if self._state.standing(submission, now) is Standing.FREE:
                return since
        return None

    def _of(self, queue: str) -> QueueFigures:
        return self.queues.get(queue) or self.queues[OTHER]

    def _count(self, queue: QueueFigures, what: str) -> None:
        if self._counts:
            queue.counts[what] += 1

    def _submitted(self, event: Submitted, _: Outcome) -> None:
        queue = self._of(event.queue)
        if event.submission in queue.waiting:
            return  # written twice, as its confirm got lost
        self._count(queue, "submitted")
        if self._state.standing(event.submission, event.at) is Standing.CLOSED:
            return
        queue.waiting[event.submission] = event.at
        lease = self._leases.get(event.submission)
        if lease and lease.since is None:
            # A gateway notes submits a moment late; another one's grader was quicker.
            self._waited(lease, event.at)

    def _leased(self, event: Leased, outcome: Outcome) -> None:
        before = self._leases.get(event.submission)
        if not outcome.valid or (before and before.key == event.key):
            return
        queue = self._of(event.queue)
        queue.saw(event.grader, event.at)
        if before:
            # Nobody wrote down that it ran out: who held its delivery is gone, too.
            self._expired_of(before)
        since = before.since if before else None
        lease = self._leases[event.submission] = _Lease(queue, event.key, event.grader, event.at, since)
        if since is None and event.submission in queue.waiting:
            self._waited(lease, queue.waiting[event.submission])

    def _waited(self, lease: _Lease, since: float) -> None:
        lease.since = since
        if self._counts:
            lease.queue.waited.took(lease.at - since)

    def _released(self, event: Released, outcome: Outcome) -> None:
        lease = self._leases.get(event.submission)
        if outcome.valid and lease and lease.runs and lease.key == event.key:
            lease.runs = False
            lease.queue.saw(lease.grader, event.at)
            if event.failed:
                self._count(lease.queue, "failed_attempts")

    def _expired(self, event: Expired, _: Outcome) -> None:
        lease = self._leases.get(event.submission)
        if lease and lease.key == event.key:
            self._expired_of(lease)

    def _expired_of(self, lease: _Lease) -> None:
        if lease.runs:
            lease.runs = False
            self._count(lease.queue, "leases_expired")
            self._count(lease.queue, "failed_attempts")

    def _graded(self, event: Graded, outcome: Outcome) -> None:
        queue, lease = self._of(event.queue), self._leases.get(event.submission)
        if not self._ended(event.submission, queue, outcome):
            return
        self._count(queue, "graded")
        of_this_lease = lease is not None and lease.key == event.key
        queue.saw(lease.grader if lease and of_this_lease else "", event.at)
        if lease and of_this_lease and self._counts:
            queue.graded.took(event.at - lease.at)

    def _superseded(self, event: Superseded, outcome: Outcome) -> None:
        queue = self._of(event.queue)
        if self._ended(event.submission, queue, outcome):
            self._count(queue, "superseded")

    def _retired(self, event: Retired, outcome: Outcome) -> None:
        queue = self._of(event.queue)
        self._ended(event.submission, queue, outcome)
        queue.parked.discard(event.submission)

    def _parked(self, event: Parked, outcome: Outcome) -> None:
        queue, lease = self._of(event.queue), self._leases.get(event.submission)
        if not self._state.is_parked(event.submission):
            return
        if lease:
            self._expired_of(lease)
        self._ended(event.submission, queue, outcome)
        if event.submission not in queue.parked:
            queue.parked.add(event.submission)
            self._count(queue, "parked")

    def _redriven(self, event: Redriven, outcome: Outcome) -> None:
        queue = self._of(event.queue)
        if outcome.valid and self._state.standing(event.submission, event.at) is not Standing.CLOSED:
            queue.parked.discard(event.submission)
            queue.waiting.setdefault(event.submission, event.at)

    def _told(self, event: Delivered | Undeliverable, outcome: Outcome) -> None:
        """Take in what a relay did with a result, where nobody came to write down that there is one."""
        if event.notice or self._state.redrives(event.submission):
            return  # of what its student is told; a relay of 0.1.0 doesn't say which it was
        for queue in self.queues.values():
            if event.submission in queue.waiting:
                self._ended(event.submission, queue, outcome)
                self._count(queue, "graded")

    def _ended(self, submission: bytes, queue: QueueFigures, outcome: Outcome) -> bool:
        """Let a submission wait no more; say whether it did by now, as far as anybody knows."""
        self._leases.pop(submission, None)
        did = queue.waiting.pop(submission, None) is not None
        return did or bool(outcome.gone)

    _TAKES: ClassVar[Mapping[type, Callable[["Figures", Any, Outcome], None]]] = {
        Submitted: _submitted,
        Leased: _leased,
        Released: _released,
        Expired: _expired,
        Graded: _graded,
        Superseded: _superseded,
        Retired: _retired,
        Parked: _parked,
        Redriven: _redriven,
        Delivered: _told,
        Undeliverable: _told,
    }
