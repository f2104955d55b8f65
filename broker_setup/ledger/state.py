"""What the ledger says of leases and queues: events in, state out; no I/O, no clock, no deliveries.

Every gateway applies the same events in the same order, so all of them come to the same answers: of two leases of one
submission the first in the ledger is the lease, and the second is void.
"""

from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from heapq import heappop, heappush
from itertools import takewhile
from struct import Struct as Packing
from typing import Any

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
    hash_key,
)
from broker_setup.wire.messages import submission_id_of

# A grader that corrects its result does so at once; later, the student has seen the first one.
AMENDMENT_SECONDS = 300.0
# How long, and of how many submissions, we know which key settled them: longer than a client repeats itself.
SETTLED_SECONDS = 600.0
SETTLED_MAX = 50_000
# How long we know that a submission is closed at all. A delivery of one can come back while its queue holds it unacked,
# which ends with the gateway that held it; a day is what a replay covers, too.
CLOSED_SECONDS = 24 * 3600.0
TRIM_SECONDS = 60.0

# A submission that waits: uuid, when it was submitted, number of its queue. Packed, for there may be a million of them.
_WAITING = Packing("16sdI")


class Standing(Enum):
    """What is known of a submission whose delivery is at hand."""

    FREE = auto()  # may be leased
    LEASED = auto()  # somebody is grading it, or it may not be leased yet: keep the delivery
    CLOSED = auto()  # settled, retired or parked: the delivery is only debris
    SUPERSEDED = auto()  # a newer submission took its place: the delivery goes, and the ledger hears of it


@dataclass(frozen=True, slots=True)
class Lease:
    """What a grader was told, and what its result needs; times are seconds since the epoch.

    A lease that was released has the key b"" and "expires" when the submission may be leased again.
    """

    submission: bytes
    queue: str
    url: bytes
    key: bytes
    granted_at: float
    expires_at: float
    sealed: str
    attempt: int


@dataclass(frozen=True, slots=True)
class Settled:
    """A submission whose result is safe: `first` and `digest` are of the first and the newest of `results`."""

    lease: Lease
    first: bytes
    digest: bytes
    results: int
    at: float


@dataclass(frozen=True)
class Take:
    """The result is welcome; `amendment` counts from 0 (the first result) upwards, `late` if the lease has run out."""

    lease: Lease
    amendment: int
    late: bool


class Refusal(Enum):
    """Why a result is not taken."""

    UNKNOWN_SUBMISSION = auto()
    WRONG_KEY = auto()
    REPEAT = auto()  # it is here already: success for the caller, nothing to do


@dataclass(frozen=True)
class Outcome:
    """What an event has done: was it valid, and whose deliveries should be let go of now (queue, submission)."""

    valid: bool
    gone: Sequence[tuple[str, bytes]] = ()


_VALID = Outcome(valid=True)
_VOID = Outcome(valid=False)


class LedgerState:
    """The leases that run or ran out unsettled, what was closed lately, and what waits, by callback URL."""

    def __init__(self, supersede_after: Callable[[str], float | None]) -> None:
        """`supersede_after` says for a queue how old (s) a submission must be to be superseded; None: it never is."""
        self._supersede_after = supersede_after
        self._leases: dict[bytes, Lease] = {}
        self._settled: dict[bytes, Settled] = {}
        self._settled_order: deque[tuple[float, bytes]] = deque()
        self._closed: dict[bytes, int] = {}
        self._parked: set[bytes] = set()  # which of the closed ones an operator may redrive
        self._redrives: dict[bytes, int] = {}
        self._by_key: dict[bytes, bytes] = {}
        self._by_id: dict[int, bytes] = {}
        self._expiries: list[tuple[float, bytes]] = []
        self._waiting: dict[bytes, bytes] = {}
        self._queues: dict[str, int] = {}
        self._waiting_in: Counter[int] = Counter()  # by number of the queue; those that are leased, too
        self._superseded: dict[bytes, tuple[str, bytes]] = {}
        self._superseded_in: Counter[str] = Counter()
        self._minute = 0
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
            ahead = submission in self._parked and redriven > self.redrives(submission)
            return Standing.FREE if ahead else Standing.CLOSED
        if submission in self._superseded:
            return Standing.SUPERSEDED
        lease = self._leases.get(submission)
        return Standing.LEASED if lease and lease.expires_at > now else Standing.FREE

    def is_parked(self, submission: bytes) -> bool:
        """Say whether a submission was parked, and neither redriven nor retired since."""
        return submission in self._parked

    def redrives(self, submission: bytes) -> int:
        """Count how often a submission was redriven."""
        return self._redrives.get(submission, 0)

    def lease_of(self, submission: bytes) -> Lease | None:
        """Return the newest lease of an unsettled submission, running or run out."""
        return self._leases.get(submission)

    def superseded_by(self, submission: bytes) -> bytes:
        """Return which submission took the place of this SUPERSEDED one."""
        return self._superseded[submission][1]

    def superseded_in(self, queue: str) -> int:
        """Count the superseded submissions that have not left the broker's queue, ready or held: they wait no more."""
        return self._superseded_in[queue]

    def expected_in(self, queue: str, now: float) -> int:
        """Count what waits in `queue` as far as is known here: whoever takes work past the gateways leaves no trace."""
        leased = sum(
            lease.queue == queue and lease.expires_at > now and submission not in self._superseded
            for submission, lease in self._leases.items()
        )
        return self._waiting_in[self._queues.get(queue, -1)] - leased

    def running(self, now: float) -> Iterator[Lease]:
        """Yield the leases that run at `now`."""
        return (lease for lease in self._leases.values() if lease.expires_at > now and lease.key)

    def judge(self, submission_id: int, key: str, digest: bytes, now: float) -> Take | Refusal:
        """Say whether a result may be taken.

        A result for a lease that ran out is welcome as long as nobody else has leased or settled the submission since.
        """
        submission = self._find(submission_id, key)
        if isinstance(submission, Refusal):
            return submission
        settled = self._settled.get(submission)
        if settled is None:
            lease = self._leases.get(submission)
            if lease is None or submission in self._superseded:
                return Refusal.WRONG_KEY
            return Take(lease, amendment=0, late=lease.expires_at <= now)
        if settled.digest == digest:
            return Refusal.REPEAT
        if now - settled.at > AMENDMENT_SECONDS:
            return Refusal.WRONG_KEY
        return Take(settled.lease, settled.results, late=False)

    def find(self, submission_id: int, key: str, now: float) -> Lease | Refusal:
        """Return the running lease of that key; WRONG_KEY also if it has run out or its submission is settled."""
        submission = self._find(submission_id, key)
        if isinstance(submission, Refusal):
            return submission
        lease = self._leases.get(submission)
        return lease if lease and lease.expires_at > now else Refusal.WRONG_KEY

    def queue_of(self, submission_id: int, key: str) -> str | None:
        """Return the queue of what judge and find would speak of, whether the key is right or not; None if unknown."""
        submission = self._find(submission_id, key)
        if isinstance(submission, Refusal):
            submission = self._by_id.get(submission_id, b"")
        settled = self._settled.get(submission)
        lease = settled.lease if settled else self._leases.get(submission)
        return lease.queue if lease else None

    def run_out(self, now: float) -> list[Lease]:
        """Return each lease whose time is up, once."""
        ended = {}  # a lease that was extended or released to the same moment stands there twice
        while self._expiries and self._expiries[0][0] <= now:
            expires_at, submission = heappop(self._expiries)
            lease = self._leases.get(submission)
            if lease and lease.expires_at == expires_at:
                ended[submission] = lease
        return list(ended.values())

    def _find(self, submission_id: int, key: str) -> bytes | Refusal:
        submission = self._by_key.get(hash_key(key))
        # The key decides; an id alone could belong to two submissions.
        if submission is None or submission_id_of(submission) != submission_id:
            return Refusal.WRONG_KEY if submission_id in self._by_id else Refusal.UNKNOWN_SUBMISSION
        return submission

    # Events.

    def apply(self, event: AnyEvent) -> Outcome:
        """Take an event in; applying one again that came before changes nothing."""
        handler = self._handlers.get(type(event))
        # Expiry is a matter of time, delivery one of the relay's: both are history, for trace.
        return handler(event) if handler else _VALID

    def _submitted(self, event: Submitted) -> Outcome:
        # Once more, after a write whose confirm got lost: it must not take the place of what came in between.
        if not event.url or event.submission in self._closed or event.submission in self._superseded:
            return _VALID
        entries = list(_WAITING.iter_unpack(self._waiting.get(event.url, b"")))
        if any(submission == event.submission for submission, *_ in entries):
            return _VALID
        gone: list[tuple[str, bytes]] = []
        min_age = self._supersede_after(event.queue)
        if min_age is not None and entries:
            names = list(self._queues)
            gone = [
                (names[queue], submission)
                for submission, at, queue in entries
                if event.at - at >= min_age and self._nobody_grades(submission, event.at)
            ]
            left = {submission for _, submission in gone}
            entries = [entry for entry in entries if entry[0] not in left]
        number = self._queues.setdefault(event.queue, len(self._queues))
        self._keep_waiting(event.url, [*entries, (event.submission, event.at, number)])
        self._waiting_in[number] += 1
        for queue, submission in gone:
            # The older one's queue, which may be another: a problem can be given a new one.
            self._waiting_in[self._queues[queue]] -= 1
            self._superseded[submission] = (queue, event.submission)
            self._superseded_in[queue] += 1
        return Outcome(valid=True, gone=gone) if gone else _VALID

    def _nobody_grades(self, submission: bytes, at: float) -> bool:
        # What was released waits for its delay to pass; that is no reason to grade it in the end.
        lease = self._leases.get(submission)
        released = lease is not None and not lease.key
        return self.standing(submission, at) is Standing.FREE or released

    def _leased(self, event: Leased) -> Outcome:
        before = self._leases.get(event.submission)
        if before and before.key == event.key:
            return _VALID
        if self.standing(event.submission, event.at) is not Standing.FREE:
            return _VOID
        if before:
            # Whoever had it before is too late from now on.
            self._by_key.pop(before.key, None)
        self._leases[event.submission] = Lease(
            submission=event.submission,
            queue=event.queue,
            url=event.url,
            key=event.key,
            granted_at=event.at,
            expires_at=event.expires_at,
            sealed=event.sealed,
            attempt=event.attempt,
        )
        self._by_key[event.key] = event.submission
        self._by_id[submission_id_of(event.submission)] = event.submission
        heappush(self._expiries, (event.expires_at, event.submission))
        return _VALID

    def _extended(self, event: Extended) -> Outcome:
        return self._changed(event, lambda lease: replace(lease, expires_at=max(lease.expires_at, event.expires_at)))

    def _released(self, event: Released) -> Outcome:
        return self._changed(
            event,
            # Given back without a failure, it was no attempt.
            lambda lease: replace(
                lease, expires_at=event.available_at, key=b"", attempt=lease.attempt - (not event.failed)
            ),
        )

    def _left(self, event: Superseded | Retired) -> Outcome:
        self._parked.discard(event.submission)
        url = b"" if isinstance(event, Superseded) else event.url
        return self._close(event.submission, event.queue, url, event.at)

    def _set_aside(self, event: Parked) -> Outcome:
        if event.submission in self._closed:
            return _VALID
        if event.redriven < self.redrives(event.submission):
            return _VOID  # once more, after a write whose confirm got lost: it has been redriven since
        outcome = self._close(event.submission, event.queue, event.url, event.at)
        self._parked.add(event.submission)
        if event.redriven:
            self._redrives[event.submission] = event.redriven
        return outcome

    def _redriven(self, event: Redriven) -> Outcome:
        submission = event.submission
        if event.number <= self.redrives(submission):
            return _VALID
        if submission in self._closed:
            if submission not in self._parked:
                return _VOID
            self._parked.discard(submission)
            del self._closed[submission]
        self._redrives[submission] = event.number
        if submission not in self._leases:
            # As if it had been released now: what was leased before, and is written once more, stays void.
            self._leases[submission] = Lease(submission, event.queue, event.url, b"", event.at, event.at, "", 0)
            heappush(self._expiries, (event.at, submission))
        if event.url and submission not in self._superseded:
            entries = list(_WAITING.iter_unpack(self._waiting.get(event.url, b"")))
            if all(waiting != submission for waiting, *_ in entries):
                number = self._queues.setdefault(event.queue, len(self._queues))
                self._keep_waiting(event.url, [*entries, (submission, event.at, number)])
                self._waiting_in[number] += 1
        return _VALID

    def _changed(self, event: Extended | Released, change: Callable[[Lease], Lease]) -> Outcome:
        lease = self._leases.get(event.submission)
        if lease is None or lease.key != event.key or event.submission in self._superseded:
            return _VOID
        changed = change(lease)
        if not changed.key:
            self._by_key.pop(lease.key, None)
        self._leases[event.submission] = changed
        heappush(self._expiries, (changed.expires_at, event.submission))
        return _VALID

    def _graded(self, event: Graded) -> Outcome:
        if event.submission in self._closed:
            settled = self._settled.get(event.submission)
            # One that is here already: its sender tried again, at another gateway or before it was read back, and may
            # have been taken for an amendment there.
            if settled is None or settled.lease.key != event.key:
                return _VOID
            return _VALID if event.digest in (settled.first, settled.digest) else _VOID
        lease = self._leases.get(event.submission)
        outcome = self._close(event.submission, event.queue, event.url, event.at)
        if lease:
            # A late result may have won against the lease that was given next: then its key is the one that settled.
            lease = lease if lease.key == event.key else replace(lease, key=event.key)
            self._by_key[lease.key] = event.submission
            self._by_id[submission_id_of(event.submission)] = event.submission
            self._settled[event.submission] = Settled(lease, event.digest, event.digest, 1, event.at)
            self._settled_order.append((event.at, event.submission))
            self._forget_settled(event.at)
        return outcome

    def _amended(self, event: Amended) -> Outcome:
        settled = self._settled.get(event.submission)
        if settled is None or settled.lease.key != event.key:
            return _VOID
        if event.amendment < settled.results:
            # It stands here already, or another gateway's came first under this number.
            return _VALID if event.digest == settled.digest else _VOID
        self._settled[event.submission] = Settled(
            settled.lease, settled.first, event.digest, event.amendment + 1, settled.at
        )
        return _VALID

    def _close(self, submission: bytes, queue: str, url: bytes, at: float) -> Outcome:
        if submission in self._closed:
            return _VALID
        lease = self._leases.pop(submission, None)
        if lease:
            url = url or lease.url
            self._by_key.pop(lease.key, None)
            submission_id = submission_id_of(submission)
            if self._by_id.get(submission_id) == submission:
                del self._by_id[submission_id]
        superseded = self._superseded.pop(submission, None)
        if superseded:
            self._superseded_in[superseded[0]] -= 1
        if url in self._waiting:
            entries = []
            for entry in _WAITING.iter_unpack(self._waiting[url]):
                if entry[0] == submission:
                    self._waiting_in[entry[2]] -= 1
                else:
                    entries.append(entry)
            self._keep_waiting(url, entries)
        if at - self._minute >= TRIM_SECONDS:
            self._minute = int(at)
            self._forget_closed(at)
        # One number object for all of a minute: there may be a million of them.
        self._closed[submission] = self._minute
        return Outcome(valid=True, gone=[(queue, submission)])

    def _keep_waiting(self, url: bytes, entries: Sequence[tuple[bytes, float, int]]) -> None:
        if entries:
            self._waiting[url] = b"".join(_WAITING.pack(*entry) for entry in entries)
        else:
            self._waiting.pop(url, None)

    def _forget_settled(self, now: float) -> None:
        order = self._settled_order
        while order and (len(order) > SETTLED_MAX or now - order[0][0] > SETTLED_SECONDS):
            _, submission = order.popleft()
            lease = self._settled.pop(submission).lease
            self._by_key.pop(lease.key, None)
            submission_id = submission_id_of(submission)
            if self._by_id.get(submission_id) == submission:
                del self._by_id[submission_id]

    def _forget_closed(self, now: float) -> None:
        old = list(takewhile(lambda submission: now - self._closed[submission] > CLOSED_SECONDS, self._closed))
        for submission in old:
            del self._closed[submission]
            self._parked.discard(submission)
            self._redrives.pop(submission, None)
