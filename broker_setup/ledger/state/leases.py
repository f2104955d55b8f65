"""The leases that run, or ran out unsettled: the newest of each submission, and when its time is up."""

from collections import Counter
from collections.abc import Iterator
from heapq import heapify, heappop, heappush

from msgspec.structs import replace

from broker_setup.ledger.answers import Lease, Refused
from broker_setup.ledger.state.lease_keys import LeaseKeys

# Times of leases that have changed since, beside as many as there are leases: 100 KB.
_FEW_EXPIRIES = 1_000


class Leases:
    """One lease for each submission, the newest, while it is unsettled."""

    def __init__(self, keys: LeaseKeys) -> None:
        self._keys = keys
        self._unsettled: dict[bytes, Lease] = {}
        self._expiries: list[tuple[float, bytes]] = []
        self._due: list[Lease] = []
        # Those that no grader gets before their time comes; how many there are in each queue, and of what size their
        # sealed return addresses are together.
        self._held: dict[bytes, Lease] = {}
        self._held_in: Counter[str] = Counter()
        self._sealed_in: Counter[str] = Counter()

    def of(self, submission: bytes) -> Lease | None:
        """Return the newest lease of an unsettled submission, running or run out."""
        return self._unsettled.get(submission)

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
            self._held_in[held.queue] -= 1
            self._sealed_in[held.queue] -= len(held.sealed)

    def give(self, lease: Lease) -> None:
        """Take in a new lease; whoever had the submission before is too late from now on."""
        before = self._unsettled.get(lease.submission)
        if before:
            self._keys.replace(before.key)
        self._keys.add(lease.key, lease.submission)
        self._keep(lease)

    def keep_back(self, lease: Lease) -> None:
        """Take in a lease that is as if it had been released: nobody has its key."""
        self._keep(lease)

    def change(self, before: Lease, changed: Lease) -> None:
        """Let a lease of the same submission run longer, or release it."""
        if not changed.key:
            self._keys.replace(before.key)
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
        """Forget the lease of a submission that is closed, but not its key; return it."""
        lease = self._unsettled.pop(submission, None)
        self.pass_over(submission)
        return lease

    def _keep(self, lease: Lease) -> None:
        submission, queue = lease.submission, lease.queue
        self._unsettled[submission] = lease
        heappush(self._expiries, (lease.ends_at, submission))
        if len(self._expiries) > _FEW_EXPIRIES + 2 * len(self._unsettled):
            self._forget_expiries()
        self.pass_over(submission)
        self._held[submission] = lease
        self._held_in[queue] += 1
        self._sealed_in[queue] += len(lease.sealed)

    def _forget_expiries(self) -> None:
        """Drop the times at which leases would have ended that were extended or released since."""
        unsettled = self._unsettled
        self._expiries = list(
            {
                (ends_at, submission)
                for ends_at, submission in self._expiries
                if (lease := unsettled.get(submission)) and lease.ends_at == ends_at
            }
        )
        heapify(self._expiries)

    def _let_time_pass(self, now: float) -> None:
        while self._expiries and self._expiries[0][0] <= now:
            ends_at, submission = heappop(self._expiries)
            lease = self._unsettled.get(submission)
            if lease and lease.ends_at == ends_at:
                self.pass_over(submission)
                self._due.append(lease)
