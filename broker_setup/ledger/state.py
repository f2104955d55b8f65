"""What the ledger says of leases and queues: events in, state out; no I/O, no clock, no deliveries.

Every gateway applies the same events in the same order, so all of them come to the same answers: of two leases of one
submission the first in the ledger is the lease, and the second is void.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from msgspec.structs import replace

from broker_setup.ledger.answers import VALID, VOID, Lease, Outcome, Refusal, Standing, Take
from broker_setup.ledger.closed import Closed
from broker_setup.ledger.events import (
    Amended,
    AnyEvent,
    Extended,
    Graded,
    Leased,
    Parked,
    Redriven,
    Released,
    Retired,
    Submitted,
    Superseded,
)
from broker_setup.ledger.leases import Leases, lease_of
from broker_setup.ledger.waiting import Waiting


class LedgerState:
    """How each submission stands: leased, closed, waiting, or superseded by a newer one."""

    def __init__(self, supersede_after: Callable[[str], float | None]) -> None:
        """`supersede_after` says for a queue how old (s) a submission must be to be superseded; None: it never is."""
        self._supersede_after = supersede_after
        self._leases = Leases()
        self._closed = Closed()
        self._waiting = Waiting()
        self._superseded: dict[bytes, tuple[str, bytes]] = {}
        self._superseded_in: Counter[str] = Counter()
        self._handlers: dict[type, Callable[[Any], Outcome]] = {
            Submitted: self._submitted,
            Leased: self._leased,
            Extended: self._extended,
            Released: self._released,
            Graded: self._graded,
            Amended: self._amended,
            Superseded: self._left,
            Retired: self._left,
            Parked: self._set_aside,
            Redriven: self._redriven,
        }

    # Questions.

    def standing(self, submission: bytes, now: float, redriven: int = 0) -> Standing:
        """Say what may be done with a delivery of `submission` at `now`, a copy that was redriven so often."""
        if submission in self._closed:
            # A copy that is ahead of us proves that its redrive stands in the ledger, before anything that we write.
            ahead = self._closed.is_parked(submission) and redriven > self._closed.redrives(submission)
            return Standing.FREE if ahead else Standing.CLOSED
        if submission in self._superseded:
            return Standing.SUPERSEDED
        lease = self._leases.of(submission)
        return Standing.LEASED if lease and lease.expires_at > now else Standing.FREE

    def is_parked(self, submission: bytes) -> bool:
        """Say whether a submission was parked, and neither redriven nor retired since."""
        return self._closed.is_parked(submission)

    def redrives(self, submission: bytes) -> int:
        """Count how often a submission was redriven."""
        return self._closed.redrives(submission)

    def lease_of(self, submission: bytes) -> Lease | None:
        """Return the newest lease of an unsettled submission, running or run out."""
        return self._leases.of(submission)

    def superseded_by(self, submission: bytes) -> bytes:
        """Return which submission took the place of this SUPERSEDED one."""
        return self._superseded[submission][1]

    def superseded_in(self, queue: str) -> int:
        """Count the superseded submissions that have not left the broker's queue, ready or held: they wait no more."""
        return self._superseded_in[queue]

    def expected_in(self, queue: str, now: float) -> int:
        """Count what waits in `queue` as far as is known here: whoever takes work past the gateways leaves no trace."""
        return self._waiting.count(queue) - self._leases.held_in(queue, now)

    def running(self, now: float) -> Iterator[Lease]:
        """Yield the leases that run at `now`."""
        return self._leases.running(now)

    def judge(self, submission_id: int, key: str, digest: bytes, now: float) -> Take | Refusal:
        """Say whether a result may be taken.

        A result for a lease that ran out is welcome as long as nobody else has leased or settled the submission since.
        """
        submission = self._leases.find(submission_id, key)
        if isinstance(submission, Refusal):
            return submission
        if submission in self._superseded and not self._leases.settled(submission):
            return Refusal.WRONG_KEY
        return self._leases.judge(submission, digest, now)

    def find(self, submission_id: int, key: str, now: float) -> Lease | Refusal:
        """Return the running lease of that key; WRONG_KEY also if it has run out or its submission is settled."""
        submission = self._leases.find(submission_id, key)
        if isinstance(submission, Refusal):
            return submission
        lease = self._leases.of(submission)
        return lease if lease and lease.expires_at > now else Refusal.WRONG_KEY

    def queue_of(self, submission_id: int, key: str) -> str | None:
        """Return the queue of what judge and find would speak of, whether the key is right or not; None if unknown."""
        return self._leases.queue_of(submission_id, key)

    def run_out(self, now: float) -> list[Lease]:
        """Return each lease whose time is up, once."""
        return self._leases.run_out(now)

    # Events.

    def apply(self, event: AnyEvent) -> Outcome:
        """Take an event in; applying one again that came before changes nothing."""
        handler = self._handlers.get(type(event))
        # Expiry is a matter of time, delivery one of the relay's: both are history, for trace.
        return handler(event) if handler else VALID

    def _submitted(self, event: Submitted) -> Outcome:
        min_age = self._supersede_after(event.queue)
        if min_age is None:
            # Neither supersedes nor is superseded, so there may be any number of them with one URL.
            return VALID
        # Once more, after a write whose confirm got lost: it must not take the place of what came in between.
        if not event.url or event.submission in self._closed or event.submission in self._superseded:
            return VALID
        entries = self._waiting.at(event.url)
        if any(submission == event.submission for submission, *_ in entries):
            return VALID
        older = [
            entry for entry in entries if event.at - entry[1] >= min_age and self._nobody_grades(entry[0], event.at)
        ]
        if older:
            left = set(older)
            entries = [entry for entry in entries if entry not in left]
        self._waiting.put(event.url, entries, event.submission, event.at, event.queue, instead_of=older)
        # The older one's queue may be another: a problem can be given a new one.
        gone = [(self._waiting.queue_of(entry), entry[0]) for entry in older]
        for queue, submission in gone:
            self._superseded[submission] = (queue, event.submission)
            self._superseded_in[queue] += 1
            self._leases.pass_over(submission)
        return Outcome(valid=True, gone=gone) if gone else VALID

    def _nobody_grades(self, submission: bytes, at: float) -> bool:
        # What was released waits for its delay to pass; that is no reason to grade it in the end.
        lease = self._leases.of(submission)
        released = lease is not None and not lease.key
        return self.standing(submission, at) is Standing.FREE or released

    def _leased(self, event: Leased) -> Outcome:
        before = self._leases.of(event.submission)
        if before and before.key == event.key:
            return VALID
        if self.standing(event.submission, event.at) is not Standing.FREE:
            return VOID
        self._leases.give(lease_of(event, before))
        return VALID

    def _extended(self, event: Extended) -> Outcome:
        if event.refused:
            return self._reply_refused(event)
        return self._changed(event, lambda lease: replace(lease, expires_at=max(lease.expires_at, event.expires_at)))

    def _released(self, event: Released) -> Outcome:
        return self._changed(
            event,
            # Given back without a failure, it was no attempt.
            lambda lease: replace(
                lease, expires_at=event.available_at, key=b"", attempt=lease.attempt - (not event.failed)
            ),
        )

    def _reply_refused(self, event: Extended) -> Outcome:
        lease = self._leases.of(event.submission)
        if lease is None or lease.key != event.key or event.submission in self._superseded:
            return VOID
        self._leases.refuse(lease, event.digest, event.refused, event.again)
        return VALID

    def _left(self, event: Superseded | Retired) -> Outcome:
        if event.submission in self._closed:
            self._closed.unpark(event.submission)
            return VALID
        url = b"" if isinstance(event, Superseded) else event.url
        return self._close(event.submission, event.queue, url, event.at)

    def _set_aside(self, event: Parked) -> Outcome:
        if event.submission in self._closed:
            return VALID
        if event.redriven < self._closed.redrives(event.submission):
            return VOID  # once more, after a write whose confirm got lost: it has been redriven since
        outcome = self._close(event.submission, event.queue, event.url, event.at)
        self._closed.park(event.submission, event.redriven)
        return outcome

    def _redriven(self, event: Redriven) -> Outcome:
        submission = event.submission
        if event.number <= self._closed.redrives(submission):
            return VALID
        if submission in self._closed and not self._closed.is_parked(submission):
            return VOID
        self._closed.redrive(submission, event.number)
        if self._leases.of(submission) is None:
            # As if it had been released now: what was leased before, and is written once more, stays void.
            self._leases.keep_back(Lease(submission, event.queue, event.url, b"", event.at, event.at, "", 0))
        if event.url and submission not in self._superseded and self._supersede_after(event.queue) is not None:
            entries = self._waiting.at(event.url)
            if all(waiting != submission for waiting, *_ in entries):
                self._waiting.put(event.url, entries, submission, event.at, event.queue)
        return VALID

    def _changed(self, event: Extended | Released, change: Callable[[Lease], Lease]) -> Outcome:
        lease = self._leases.of(event.submission)
        if lease is None or lease.key != event.key or event.submission in self._superseded:
            return VOID
        self._leases.change(lease, change(lease))
        return VALID

    def _graded(self, event: Graded) -> Outcome:
        if event.submission in self._closed:
            settled = self._leases.settled(event.submission)
            # One that is here already: its sender tried again, at another gateway or before it was read back, and may
            # have been taken for an amendment there.
            if settled is None or settled.lease.key != event.key:
                return VOID
            return VALID if event.digest in (settled.first, settled.digest) else VOID
        lease = self._leases.of(event.submission)
        outcome = self._close(event.submission, event.queue, event.url, event.at)
        if lease:
            self._leases.settle(lease, event.key, event.digest, event.at)
        return outcome

    def _amended(self, event: Amended) -> Outcome:
        settled = self._leases.settled(event.submission)
        if settled is None or settled.lease.key != event.key:
            return VOID
        if event.amendment < settled.results:
            # It stands here already, or another gateway's came first under this number.
            return VALID if event.digest == settled.digest else VOID
        self._leases.amend(settled, event.digest, event.amendment + 1)
        return VALID

    def _close(self, submission: bytes, queue: str, url: bytes, at: float) -> Outcome:
        lease = self._leases.end(submission)
        superseded = self._superseded.pop(submission, None)
        if superseded:
            self._superseded_in[superseded[0]] -= 1
        self._waiting.drop(url or (lease.url if lease else b""), submission)
        self._closed.add(submission, at)
        return Outcome(valid=True, gone=[(queue, submission)])
