"""The facts about leases, and what may be done in their light; no I/O, no clock of its own, no deliveries."""

import hashlib
from collections import deque
from dataclasses import dataclass
from enum import Enum, auto
from heapq import heappop, heappush

from broker_setup.messages import Submission

# A grader that corrects its result does so at once; later, the student has seen the first one.
AMENDMENT_SECONDS = 300.0
# How long, and of how many submissions, we remember that they are settled: longer than a client retries.
SETTLED_SECONDS = 24 * 3600.0
SETTLED_MAX = 100_000


class Standing(Enum):
    """What is known of a submission whose delivery has come in."""

    FREE = auto()  # may be handed out
    LEASED = auto()  # somebody is grading it: keep the delivery, hand it to nobody
    SETTLED = auto()  # its result is safe: the delivery is only debris


@dataclass(frozen=True)
class Lease:
    """What a grader was told, and what its result needs: times are seconds since the epoch."""

    submission: str
    submission_id: int
    queue: str
    sealed_return: str
    key_hash: bytes
    expires_at: float


@dataclass(frozen=True)
class Settled:
    """A submission whose result is safely on its way: `digest` is of the newest one, `results` how many came."""

    lease: Lease
    digest: bytes
    results: int
    at: float


@dataclass(frozen=True)
class Take:
    """The result is welcome; `amendment` counts from 0 (the first result) upwards."""

    lease: Lease
    amendment: int


class Refusal(Enum):
    """Why a result is not taken."""

    UNKNOWN_SUBMISSION = auto()
    WRONG_KEY = auto()
    REPEAT = auto()  # it is here already: success for the caller, nothing to do


class Leases:
    """Every lease that runs or ran out unsettled, and the submissions settled lately."""

    def __init__(self) -> None:
        self._leases: dict[str, Lease] = {}
        self._settled: dict[str, Settled] = {}
        self._settled_order: deque[tuple[float, str]] = deque()
        self._by_key: dict[bytes, str] = {}
        self._by_id: dict[int, str] = {}
        self._settling: set[str] = set()
        self._expiries: list[tuple[float, str]] = []

    def standing(self, submission: str, now: float) -> Standing:
        """Say what may be done with a delivery of `submission` at `now`."""
        if submission in self._settled:
            return Standing.SETTLED
        lease = self._leases.get(submission)
        if lease and (lease.expires_at > now or submission in self._settling):
            return Standing.LEASED
        return Standing.FREE

    def grant(self, submission: Submission, key: str, expires_at: float) -> Lease:
        """Lease a FREE submission until `expires_at`; the key of an earlier lease is void from now on."""
        earlier = self._leases.get(submission.uuid)
        if earlier:
            self._by_key.pop(earlier.key_hash, None)
        lease = Lease(
            submission=submission.uuid,
            submission_id=submission.submission_id,
            queue=submission.queue,
            sealed_return=submission.sealed_return,
            key_hash=hash_key(key),
            expires_at=expires_at,
        )
        self._leases[lease.submission] = lease
        self._by_key[lease.key_hash] = lease.submission
        self._by_id[lease.submission_id] = lease.submission
        heappush(self._expiries, (expires_at, lease.submission))
        return lease

    def judge(self, submission_id: int, key: str, digest: bytes, now: float) -> Take | Refusal:
        """Say whether a result may be taken.

        A result for a lease that ran out is welcome as long as nobody else has leased or settled the submission since.
        """
        submission = self._by_key.get(hash_key(key))
        lease = self._lease_of(submission) if submission else None
        # The key decides; an id alone could belong to two submissions.
        if lease is None or lease.submission_id != submission_id:
            return Refusal.WRONG_KEY if submission_id in self._by_id else Refusal.UNKNOWN_SUBMISSION
        settled = self._settled.get(lease.submission)
        if settled is None:
            return Take(lease, amendment=0)
        if settled.digest == digest:
            return Refusal.REPEAT
        return Take(lease, settled.results) if now - settled.at <= AMENDMENT_SECONDS else Refusal.WRONG_KEY

    def begin_settling(self, lease: Lease) -> None:
        """Keep `lease` from running out while its result is on its way to the broker."""
        self._settling.add(lease.submission)

    def settling_failed(self, lease: Lease) -> None:
        """Let `lease` run on, or out: its result did not reach the broker."""
        self._settling.discard(lease.submission)
        if lease.submission in self._leases:
            heappush(self._expiries, (lease.expires_at, lease.submission))

    def settle(self, lease: Lease, digest: bytes, now: float) -> None:
        """Remember that the result of `lease` is safe in the broker."""
        self._settling.discard(lease.submission)
        self._leases.pop(lease.submission, None)
        before = self._settled.get(lease.submission)
        self._settled[lease.submission] = Settled(lease, digest, before.results + 1 if before else 1, now)
        if before is None:
            self._settled_order.append((now, lease.submission))
        self._forget_old(now)

    def run_out(self, now: float) -> list[Lease]:
        """Return each lease whose time is up, once, in the order of their expiry."""
        # A lease whose result failed to reach the broker stands in the heap more than once.
        over: dict[str, Lease] = {}
        while self._expiries and self._expiries[0][0] <= now:
            expires_at, submission = heappop(self._expiries)
            lease = self._leases.get(submission)
            if lease and lease.expires_at == expires_at and submission not in self._settling:
                over[submission] = lease
        return list(over.values())

    def count(self, now: float) -> int:
        """Count the leases that run at `now`."""
        return sum(lease.expires_at > now for lease in self._leases.values())

    def _lease_of(self, submission: str) -> Lease | None:
        settled = self._settled.get(submission)
        return settled.lease if settled else self._leases.get(submission)

    def _forget_old(self, now: float) -> None:
        order = self._settled_order
        while order and (len(order) > SETTLED_MAX or now - order[0][0] > SETTLED_SECONDS):
            _, submission = order.popleft()
            lease = self._settled.pop(submission).lease
            self._by_key.pop(lease.key_hash, None)
            if self._by_id.get(lease.submission_id) == submission:
                del self._by_id[lease.submission_id]


def hash_key(key: str) -> bytes:
    """Hash a lease key; keys are 128 random bits, so a plain hash hides them as well as a slow one."""
    return hashlib.sha256(key.encode(errors="surrogatepass")).digest()
