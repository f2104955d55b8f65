"""The leases that run or ran out unsettled, and those that a result has settled lately, by submission, key and id."""

from collections import Counter, deque
from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from msgspec import Struct
from msgspec.structs import replace

from broker_setup.ledger.answers import Lease, Refusal, Refused, Take
from broker_setup.ledger.events import Leased, hash_key
from broker_setup.ledger.heard import Heard
from broker_setup.wire.messages import submission_id_of

# A grader that corrects its result does so at once; later, the student has seen the first one.
AMENDMENT_SECONDS = 300.0
# How long, and of how many submissions, we know which key settled them: longer than a client repeats itself.
SETTLED_SECONDS = 600.0
SETTLED_MAX = 50_000
# Times of leases that have changed since, beside as many as there are leases: 100 KB.
_FEW_EXPIRIES = 1_000
# Of a result that the LMS has and nobody has written down: whatever comes under its key is taken for it, as the LMS
# takes one alone.
UNKNOWN_DIGEST = b""
# What their sealed return addresses, which an amendment needs, may take in all: an LMS's header can have 112 KiB.
SETTLED_MAX_BYTES = 64 * 1024 * 1024


class Settled(Struct, frozen=True):
    """A submission whose result is safe: `first` and `digest` are of the first and the newest of `results`."""

    lease: Lease
    first: bytes
    digest: bytes
    results: int
    at: float


def lease_of(event: Leased, before: Lease | None, heard: Heard) -> Lease:
    """Make the lease that an event tells of, where `before` is that which the submission had last."""
    return Lease(
        submission=event.submission,
        queue=event.queue,
        url=event.url,
        key=event.key,
        granted_at=event.at,
        expires_at=event.expires_at,
        sealed=event.sealed,
        attempt=event.attempt,
        began=heard.time_of(event.at),
        ends_at=heard.end_of(event.at, event.expires_at),
        refused=before.refused if before else None,
    )


class Leases:
    """One lease for each submission, the newest, while it is unsettled, and for some minutes after that."""

    def __init__(self) -> None:
        self._unsettled: dict[bytes, Lease] = {}
        self._settled: dict[bytes, Settled] = {}
        self._settled_order: deque[tuple[float, bytes]] = deque()
        self._settled_bytes = 0
        self._by_key: dict[bytes, bytes] = {}
        self._by_id: dict[int, bytes] = {}
        self._expiries: list[tuple[float, bytes]] = []
        self._due: list[Lease] = []
        # Those that no grader gets before their time comes: each with its queue and the size of its sealed return
        # address; how many there are in each queue, and of what size together.
        self._held: dict[bytes, tuple[str, int]] = {}
        self._held_in: Counter[str] = Counter()
        self._sealed_in: Counter[str] = Counter()

    def of(self, submission: bytes) -> Lease | None:
        """Return the newest lease of an unsettled submission, running or run out."""
        return self._unsettled.get(submission)

    def settled(self, submission: bytes) -> Settled | None:
        """Return what settled a submission, for as long as we know it."""
        return self._settled.get(submission)

    def find(self, submission_id: int, key: str) -> bytes | Refusal:
        """Return the submission that a grader names."""
        submission = self._by_key.get(hash_key(key))
        # The key decides; an id alone could belong to two submissions.
        if submission is None or submission_id_of(submission) != submission_id:
            return Refusal.WRONG_KEY if submission_id in self._by_id else Refusal.UNKNOWN_SUBMISSION
        return submission

    def may_take(self, submission: bytes, digest: bytes, now: float) -> Take | Refusal:
        """Say whether a result of a submission that was found may be taken."""
        settled = self._settled.get(submission)
        if settled is None:
            lease = self._unsettled.get(submission)
            return Take(lease, amendment=0, late=lease.ends_at <= now) if lease else Refusal.WRONG_KEY
        if settled.digest in {digest, UNKNOWN_DIGEST}:
            return Refusal.REPEAT
        if now - settled.at > AMENDMENT_SECONDS:
            return Refusal.WRONG_KEY
        return Take(settled.lease, settled.results, late=False)

    def queue_of(self, submission_id: int, key: str) -> str | None:
        """Return the queue of what is found by the key, or else by the id alone; None if there is neither."""
        submission = self.find(submission_id, key)
        if isinstance(submission, Refusal):
            submission = self._by_id.get(submission_id, b"")
        settled = self._settled.get(submission)
        lease = settled.lease if settled else self._unsettled.get(submission)
        return lease.queue if lease else None

    def running(self, now: float) -> Iterator[Lease]:
        """Yield the leases that run at `now`."""
        return (lease for lease in self._unsettled.values() if lease.key and lease.ends_at > now)

    def run_out(self, now: float) -> list[Lease]:
        """Return each lease whose time is up, once."""
        self._let_time_pass(now)
        due, self._due = self._due, []
        # A lease that was extended or released to the same moment stands there twice.
        ended = {lease.submission: lease for lease in due if self._unsettled.get(lease.submission) == lease}
        return list(ended.values())

    def held_in(self, queue: str, now: float) -> int:
        """Count those of `queue` that no grader gets before their time comes, but for those that were passed over."""
        self._let_time_pass(now)
        return self._held_in[queue]

    def sealed_in(self, queue: str, now: float) -> int:
        """Say how many bytes the sealed return addresses have of those that are held_in `queue`."""
        self._let_time_pass(now)
        return self._sealed_in[queue]

    def pass_over(self, submission: bytes) -> None:
        """Count a submission among the held ones no more."""
        held = self._held.pop(submission, None)
        if held is not None:
            queue, size = held
            self._held_in[queue] -= 1
            self._sealed_in[queue] -= size

    def give(self, lease: Lease) -> None:
        """Take in a new lease; whoever had the submission before is too late from now on."""
        before = self._unsettled.get(lease.submission)
        if before:
            self._by_key.pop(before.key, None)
        self._index(lease.key, lease.submission)
        self._keep(lease)

    def keep_back(self, lease: Lease) -> None:
        """Take in a lease that is as if it had been released: nobody has its key."""
        self._keep(lease)

    def change(self, before: Lease, changed: Lease) -> None:
        """Let a lease of the same submission run longer, or release it."""
        if not changed.key:
            self._by_key.pop(before.key, None)
        self._keep(changed)

    def refuse(self, lease: Lease, digest: bytes, why: str, again: int) -> None:
        """Note that a reply was refused in a lease, which goes on; as `again` attempts where the last one was the same.

        Only the first of a lease: that is what one run of a grader comes to, however often it is sent.
        """
        last = lease.refused
        if last and last.key == lease.key:
            return
        if last and last.digest == digest:
            refused, attempts = replace(last, key=lease.key, why=why, leases=last.leases + 1), again
        else:
            refused, attempts = Refused(digest, why, lease.key), 1
        self._unsettled[lease.submission] = replace(lease, attempt=lease.attempt + attempts - 1, refused=refused)

    def end(self, submission: bytes) -> Lease | None:
        """Forget the lease of a submission that is closed; return it."""
        lease = self._unsettled.pop(submission, None)
        self.pass_over(submission)
        if lease:
            self._unindex(lease.key, submission)
        return lease

    def settle(self, lease: Lease, key: bytes, digest: bytes, at: float) -> None:
        """Remember by which key a submission was settled whose lease has ended."""
        # A late result may have won against the lease that was given next: then its key is the one that settled.
        lease = lease if lease.key == key else replace(lease, key=key)
        self._index(key, lease.submission)
        again = self._settled.get(lease.submission)
        self._settled_bytes += len(lease.sealed) - (len(again.lease.sealed) if again else 0)
        self._settled[lease.submission] = Settled(lease, digest, digest, 1, at)
        self._settled_order.append((at, lease.submission))
        self._forget_settled(at)

    def unsettle(self, submission: bytes) -> None:
        """Forget what settled a submission, if anything did: it was a mistake, and it may be leased again."""
        settled = self._settled.pop(submission, None)
        if settled:
            self._settled_bytes -= len(settled.lease.sealed)
            self._unindex(settled.lease.key, submission)

    def amend(self, settled: Settled, digest: bytes, results: int) -> None:
        """Remember the newest result of a settled submission."""
        self._settled[settled.lease.submission] = replace(settled, digest=digest, results=results)

    def _keep(self, lease: Lease) -> None:
        self._unsettled[lease.submission] = lease
        heappush(self._expiries, (lease.ends_at, lease.submission))
        if len(self._expiries) > _FEW_EXPIRIES + 2 * len(self._unsettled):
            self._forget_expiries()
        self.pass_over(lease.submission)
        self._held[lease.submission] = lease.queue, len(lease.sealed)
        self._held_in[lease.queue] += 1
        self._sealed_in[lease.queue] += len(lease.sealed)

    def _forget_expiries(self) -> None:
        """Drop the times at which leases would have ended that were extended or released since."""
        self._expiries = list({each for each in self._expiries if self._is_current(*each)})
        heapify(self._expiries)

    def _is_current(self, ends_at: float, submission: bytes) -> bool:
        lease = self._unsettled.get(submission)
        return lease is not None and lease.ends_at == ends_at

    def _let_time_pass(self, now: float) -> None:
        while self._expiries and self._expiries[0][0] <= now:
            ends_at, submission = heappop(self._expiries)
            lease = self._unsettled.get(submission)
            if lease and lease.ends_at == ends_at:
                self.pass_over(submission)
                self._due.append(lease)

    def _index(self, key: bytes, submission: bytes) -> None:
        self._by_key[key] = submission
        self._by_id[submission_id_of(submission)] = submission

    def _unindex(self, key: bytes, submission: bytes) -> None:
        self._by_key.pop(key, None)
        submission_id = submission_id_of(submission)
        if self._by_id.get(submission_id) == submission:
            del self._by_id[submission_id]

    def _forget_settled(self, now: float) -> None:
        order = self._settled_order
        while order and (
            len(order) > SETTLED_MAX or self._settled_bytes > SETTLED_MAX_BYTES or now - order[0][0] > SETTLED_SECONDS
        ):
            at, submission = order.popleft()
            settled = self._settled.get(submission)
            # Else it was settled once more, its end being forgotten, and stands further back, too.
            if settled and settled.at == at:
                del self._settled[submission]
                self._settled_bytes -= len(settled.lease.sealed)
                self._unindex(settled.lease.key, submission)
