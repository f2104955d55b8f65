"""What results have settled lately, and under which keys: to know a repeat, or an amendment, when it comes."""

from collections import deque

from msgspec import Struct
from msgspec.structs import replace

from broker_setup.ledger.answers import Lease
from broker_setup.ledger.state.lease_keys import LeaseKeys

# How long, and of how many submissions, we know which key settled them: longer than a client repeats itself.
SETTLED_SECONDS = 600.0
SETTLED_MAX = 50_000
# What their sealed return addresses, which an amendment needs, may take in all: an LMS's header can have 112 KiB.
SETTLED_MAX_BYTES = 64 * 1024 * 1024
# Of a result that the LMS has and nobody has written down: whatever comes under its key is taken for it, as the LMS
# takes one alone.
UNKNOWN_DIGEST = b""


class Settled(Struct, frozen=True, gc=False):
    """A submission whose result is safe: `first` and `digest` are of the first and the newest of `results`."""

    lease: Lease
    first: bytes
    digest: bytes
    results: int
    at: float


class SettledLeases:
    """The leases that a result has ended, for some minutes after that."""

    def __init__(self, keys: LeaseKeys) -> None:
        self._keys = keys
        self._settled: dict[bytes, Settled] = {}
        self._order: deque[Settled] = deque()  # as they were settled
        self._bytes = 0

    def of(self, submission: bytes) -> Settled | None:
        """Return what settled a submission, for as long as we know it."""
        return self._settled.get(submission)

    def settle(self, lease: Lease, key: bytes, digest: bytes, at: float) -> None:
        """Remember by which key a submission was settled whose lease has ended."""
        # A late result may have won against the lease that was given next: then its key is the one that settled.
        lease = lease if lease.key == key else replace(lease, key=key)
        submission = lease.submission
        self._keys.add(lease.key, submission)
        again = self._settled.get(submission)
        self._bytes += len(lease.sealed) - (len(again.lease.sealed) if again else 0)
        settled = self._settled[submission] = Settled(lease, digest, digest, 1, at)
        self._order.append(settled)
        self._forget(at)

    def unsettle(self, submission: bytes) -> None:
        """Forget what settled a submission, if anything did: it was a mistake, and it may be leased again."""
        settled = self._settled.pop(submission, None)
        if settled:
            self._bytes -= len(settled.lease.sealed)
            self._keys.drop(settled.lease.key, submission)

    def amend(self, settled: Settled, digest: bytes, results: int) -> None:
        """Remember the newest result of a settled submission."""
        self._settled[settled.lease.submission] = replace(settled, digest=digest, results=results)

    def _forget(self, now: float) -> None:
        order = self._order
        while order and (
            len(order) > SETTLED_MAX or self._bytes > SETTLED_MAX_BYTES or now - order[0].at > SETTLED_SECONDS
        ):
            oldest = order.popleft()
            settled = self._settled.get(oldest.lease.submission)
            # Else it was settled once more, its end being forgotten, and stands further back, too.
            if settled and settled.at == oldest.at:
                self.unsettle(oldest.lease.submission)
