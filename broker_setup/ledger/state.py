"""What the ledger says of leases and queues: events in, state out; no I/O, no clock, no settings, no deliveries.

Every gateway applies the same events in the same order, so all of them come to the same answers: of two leases of one
submission the first in the ledger is the lease, and the second is void. What an event does follows from events alone;
what is to be done with a delivery *now* goes by the steady clock of whoever asks, and by when he heard of each event.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from broker_setup.ledger.answers import VALID, VOID, Lease, Outcome, Refusal, Standing, Take
from broker_setup.ledger.closed import TRIM_SECONDS, Closed
from broker_setup.ledger.events import (
    Amended,
    AnyEvent,
    Delivered,
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
from broker_setup.ledger.heard import Heard
from broker_setup.ledger.leases import UNKNOWN_DIGEST, Leases, lease_of
from broker_setup.ledger.waiting import NO_SENDER, SUPERSEDABLE_SECONDS, Entry, Waiting

# A superseded one that is too old for that is forgotten so much later, and a lease that ran out is known for so long.
LATE_SECONDS = 3600.0


class _Superseded(Struct, frozen=True):
    queue: str
    by: bytes
    submitted_at: float
    sender: bytes


def _has_not_seen(event: Leased, before: Lease) -> bool:
    """Say whether the writer of a lease did not know the one before it: where clocks differ, times alone prove little.

    What ran out long ago may be out of sight for whoever has started since.
    """
    is_recent = event.at - before.expires_at < LATE_SECONDS
    return is_recent and event.after is not None and bool(before.key) and before.key != event.after


class LedgerState:
    """How each submission stands: leased, closed, waiting, or superseded by a newer one."""

    def __init__(self) -> None:
        self._leases = Leases()
        self._closed = Closed()
        self._waiting = Waiting()
        self._superseded: dict[bytes, _Superseded] = {}
        self._superseded_in: Counter[str] = Counter()
        # What the LMS has a result of that no gateway has written down: each with its lease, if there was one.
        self._delivered: dict[bytes, Lease | None] = {}
        self._looked_at = 0.0
        self._handlers: dict[type, Callable[[Any, Heard], Outcome]] = {
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
            Delivered: self._delivered_to_lms,
        }

    # Questions.

    def standing(self, submission: bytes, now: float, redriven: int = 0) -> Standing:
        """Say what may be done with a delivery of `submission` at `now`, a copy that was redriven so often."""
        if submission in self._closed:
            # A copy that is ahead of us proves that its redrive stands in the ledger, before anything that we write.
            ahead = self._closed.is_parked(submission) and redriven > self._closed.redrives(submission)
            return Standing.FREE if ahead else Standing.CLOSED
        if self._is_superseded(submission, now):
            return Standing.SUPERSEDED
        lease = self._leases.of(submission)
        return Standing.LEASED if lease and lease.ends_at > now else Standing.FREE

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
        return self._superseded[submission].by

    def superseded_in(self, queue: str) -> int:
        """Count the superseded submissions that have not left the broker's queue, ready or held: they wait no more."""
        return self._superseded_in[queue]

    def expected_in(self, queue: str, now: float) -> int:
        """Count what waits in `queue` as far as is known here: whoever takes work past the gateways leaves no trace."""
        return self._waiting.count(queue) - self._leases.held_in(queue, now)

    def sealed_in(self, queue: str, now: float) -> int:
        """Say what the leases of `queue` that run, or hold work back, keep in memory: their sealed return addresses."""
        return self._leases.sealed_in(queue, now)

    def running(self, now: float) -> Iterator[Lease]:
        """Yield the leases that run at `now`."""
        return self._leases.running(now)

    def may_take(self, submission_id: int, key: str, digest: bytes, now: float) -> Take | Refusal:
        """Say whether a result may be taken.

        A result for a lease that ran out is welcome as long as nobody else has leased or settled the submission since.
        """
        submission = self._leases.find(submission_id, key)
        if isinstance(submission, Refusal):
            return submission
        if self._is_superseded(submission, now) and not self._leases.settled(submission):
            return Refusal.WRONG_KEY
        return self._leases.may_take(submission, digest, now)

    def find(self, submission_id: int, key: str, now: float) -> Lease | Refusal:
        """Return the running lease of that key; WRONG_KEY also if it has run out or its submission is settled."""
        submission = self._leases.find(submission_id, key)
        if isinstance(submission, Refusal):
            return submission
        lease = self._leases.of(submission)
        return lease if lease and lease.ends_at > now else Refusal.WRONG_KEY

    def queue_of(self, submission_id: int, key: str) -> str | None:
        """Return the queue of what may_take and find speak of, whether the key is right or not; None if unknown."""
        return self._leases.queue_of(submission_id, key)

    def run_out(self, now: float) -> list[Lease]:
        """Return each lease whose time is up, once."""
        return self._leases.run_out(now)

    # Events.

    def apply(self, event: AnyEvent, heard: Heard | None = None) -> Outcome:
        """Take an event in; applying one again that came before changes nothing.

        Without `heard` its own times are taken.
        """
        heard = heard or Heard(event.at)
        now = heard.time_of(event.at)
        if now - self._looked_at >= TRIM_SECONDS:
            self._looked_at = now
            self._forget(now)
        handler = self._handlers.get(type(event))
        # Expiry is a matter of time, what else a relay or an operator writes is history, for trace.
        return handler(event, heard) if handler else VALID

    def _submitted(self, event: Submitted, _: Heard) -> Outcome:
        url = event.url or event.url_alone
        # Neither supersedes nor is superseded: there may be any number of them with one URL.
        if event.supersede_after is None or not url:
            return VALID
        # Once more, after a write whose confirm got lost: it must not take the place of what came in between.
        if event.submission in self._closed or event.submission in self._superseded:
            self._closed.note_supersedable(event.submission, event.sender or NO_SENDER)
            return VALID
        entries = self._waiting.at(url)
        if any(submission == event.submission for submission, *_ in entries):
            return VALID
        older = [
            entry
            for entry in entries
            if self._may_take(event, entry)
            and event.supersede_after <= event.at - entry[1] < SUPERSEDABLE_SECONDS
            and self._nobody_grades(entry[0], event.at)
        ]
        if older:
            left = set(older)
            entries = [entry for entry in entries if entry not in left]
        self._waiting.put(url, entries, event.submission, event.at, event.queue, sender=event.sender, instead_of=older)
        # The older one's queue may be another: a problem can be given a new one.
        for entry in older:
            queue = self._waiting.queue_of(entry)
            self._superseded[entry[0]] = _Superseded(queue, event.submission, entry[1], entry[3])
            self._superseded_in[queue] += 1
            self._leases.pass_over(entry[0])
        gone = [(self._waiting.queue_of(entry), entry[0]) for entry in older]
        return Outcome(valid=True, gone=gone) if gone else VALID

    def _may_take(self, event: Submitted, entry: Entry) -> bool:
        """Say whether a submission's sender may decide that nobody grades this one: theirs, or in a queue that is."""
        if event.sender == entry[3]:
            return True
        return event.anybodys and event.queue == self._waiting.queue_of(entry)

    def _is_superseded(self, submission: bytes, at: float) -> bool:
        superseded = self._superseded.get(submission)
        return superseded is not None and at - superseded.submitted_at < SUPERSEDABLE_SECONDS

    def _is_free(self, submission: bytes, at: float) -> bool:
        """Say, between events, whether one of `at` finds it neither closed, superseded nor leased."""
        lease = self._leases.of(submission)
        return not (
            submission in self._closed or self._is_superseded(submission, at) or (lease and lease.expires_at > at)
        )

    def _nobody_grades(self, submission: bytes, at: float) -> bool:
        # What was released waits for its delay to pass; that is no reason to grade it in the end.
        lease = self._leases.of(submission)
        released = lease is not None and not lease.key
        return self._is_free(submission, at) or released

    def _leased(self, event: Leased, heard: Heard) -> Outcome:
        before = self._leases.of(event.submission)
        if before and before.key == event.key:
            return VALID
        if not self._is_free(event.submission, event.at) or (before and _has_not_seen(event, before)):
            return VOID
        self._leases.give(lease_of(event, before, heard))
        return VALID

    def _extended(self, event: Extended, heard: Heard) -> Outcome:
        if event.refused:
            return self._reply_refused(event)
        return self._changed(
            event,
            lambda lease: replace(
                lease,
                expires_at=max(lease.expires_at, event.expires_at),
                ends_at=max(lease.ends_at, heard.end_of(event.at, event.expires_at)),
            ),
        )

    def _released(self, event: Released, heard: Heard) -> Outcome:
        return self._changed(
            event,
            # Given back without a failure, it was no attempt.
            lambda lease: replace(
                lease,
                expires_at=event.available_at,
                ends_at=heard.end_of(event.at, event.available_at),
                key=b"",
                attempt=lease.attempt - (not event.failed),
            ),
        )

    def _reply_refused(self, event: Extended) -> Outcome:
        lease = self._leases.of(event.submission)
        if lease is None or lease.key != event.key or self._is_superseded(event.submission, event.at):
            return VOID
        self._leases.refuse(lease, event.digest, event.refused, event.again)
        return VALID

    def _left(self, event: Superseded | Retired, heard: Heard) -> Outcome:
        if event.submission in self._closed:
            self._closed.unpark(event.submission)
            return VALID
        url = b"" if isinstance(event, Superseded) else event.url
        return self._close(event.submission, event.queue, url, heard.time_of(event.at))

    def _set_aside(self, event: Parked, heard: Heard) -> Outcome:
        # One that was delivered, and is closed by that alone, was parked all the same: what was delivered is its
        # student's notice, of which a relay of 0.1.0 does not say so.
        if event.submission in self._closed and event.submission not in self._delivered:
            return VALID
        if event.redriven < self._closed.redrives(event.submission):
            return VOID  # once more, after a write whose confirm got lost: it has been redriven since
        superseded = self._superseded.get(event.submission)
        senders = (sender for waiting, _, _, sender in self._waiting.at(event.url) if waiting == event.submission)
        sender = superseded.sender if superseded else next(senders, None)
        if event.submission in self._delivered:
            self._leases.unsettle(event.submission)
        outcome = self._close(event.submission, event.queue, event.url, heard.time_of(event.at))
        self._closed.park(event.submission, event.redriven, sender)
        return outcome

    def _redriven(self, event: Redriven, heard: Heard) -> Outcome:
        submission = event.submission
        if event.number <= self._closed.redrives(submission):
            return VALID
        if submission in self._closed and not self._closed.is_parked(submission):
            return VOID
        sender = self._closed.redrive(submission, event.number)
        if self._leases.of(submission) is None:
            # As if it had been released now: what was leased before, and is written once more, stays void.
            at, now = event.at, heard.time_of(event.at)
            self._leases.keep_back(Lease(submission, event.queue, event.url, b"", at, at, "", 0, now, now))
        if event.url and sender is not None and submission not in self._superseded:
            entries = self._waiting.at(event.url)
            if all(waiting != submission for waiting, *_ in entries):
                self._waiting.put(event.url, entries, submission, event.at, event.queue, sender=sender)
        return VALID

    def _changed(self, event: Extended | Released, change: Callable[[Lease], Lease]) -> Outcome:
        lease = self._leases.of(event.submission)
        if lease is None or lease.key != event.key or self._is_superseded(event.submission, event.at):
            return VOID
        self._leases.change(lease, change(lease))
        return VALID

    def _graded(self, event: Graded, heard: Heard) -> Outcome:
        now = heard.time_of(event.at)
        if event.submission in self._delivered:
            # Its result was on its way here before we heard that the LMS has it.
            lease = self._delivered.pop(event.submission)
            self._waiting.drop(event.url, event.submission)
            if lease:
                self._leases.settle(lease, event.key, event.digest, now)
            return VALID
        if event.submission in self._closed:
            settled = self._leases.settled(event.submission)
            # One that is here already: its sender tried again, at another gateway or before it was read back, and may
            # have been taken for an amendment there.
            if settled is None or settled.lease.key != event.key:
                return VOID
            return VALID if event.digest in (settled.first, settled.digest) else VOID
        lease = self._leases.of(event.submission)
        outcome = self._close(event.submission, event.queue, event.url, now)
        if lease:
            self._leases.settle(lease, event.key, event.digest, now)
        return outcome

    def _delivered_to_lms(self, event: Delivered, heard: Heard) -> Outcome:
        submission = event.submission
        # Of what was redriven it may be the notice by which its student heard that it was parked: a relay of 0.1.0 does
        # not say so.
        if event.notice or submission in self._closed or self._closed.redrives(submission):
            return VALID
        lease, now = self._leases.of(submission), heard.time_of(event.at)
        outcome = self._close(submission, lease.queue if lease else "", b"", now)
        self._delivered[submission] = lease
        if lease and lease.key and lease.attempt == 1:
            # Nobody else ever had it, so it is this grader's result that the LMS has. If its gateway could not write
            # that down, and has told it to try again, it is welcome.
            self._leases.settle(lease, lease.key, UNKNOWN_DIGEST, now)
        return outcome if lease else VALID

    def _amended(self, event: Amended, _: Heard) -> Outcome:
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
        self._delivered.pop(submission, None)
        self._is_superseded_no_more(submission)
        self._waiting.drop(url or (lease.url if lease else b""), submission)
        self._closed.add(submission, at)
        return Outcome(valid=True, gone=[(queue, submission)])

    def _is_superseded_no_more(self, submission: bytes) -> None:
        superseded = self._superseded.pop(submission, None)
        if superseded:
            self._superseded_in[superseded.queue] -= 1

    def _forget(self, now: float) -> None:
        # No earlier than any event could still tell the difference, whose writer's clock is nearly right.
        for submission, superseded in list(self._superseded.items()):
            if now - superseded.submitted_at > SUPERSEDABLE_SECONDS + LATE_SECONDS:
                self._is_superseded_no_more(submission)
        for submission in [submission for submission in self._delivered if submission not in self._closed]:
            del self._delivered[submission]
