"""What is known of all submissions: what the decisions about events read, and write down."""

from broker_setup.ledger.answers import Lease, Outcome, Standing
from broker_setup.ledger.state.closed import Closed
from broker_setup.ledger.state.lease_keys import LeaseKeys
from broker_setup.ledger.state.leases import Leases
from broker_setup.ledger.state.settled import SettledLeases
from broker_setup.ledger.state.superseded import SupersededSubmissions
from broker_setup.ledger.state.waiting import Waiting


class Facts:
    """Each submission is leased, closed, waiting, or superseded by a newer one; or nothing is known of it."""

    def __init__(self) -> None:
        self.keys = LeaseKeys()
        self.leases = Leases(self.keys)
        self.settled = SettledLeases(self.keys)
        self.closed = Closed()
        self.waiting = Waiting()
        self.superseded = SupersededSubmissions()
        # What the LMS has a result of that no gateway has written down: each with its lease, if there was one.
        self.delivered: dict[bytes, Lease | None] = {}

    def standing(self, submission: bytes, now: float, redriven: int) -> Standing:
        """Say what may be done with a delivery of `submission` at `now`, a copy that was redriven so often."""
        if submission in self.closed:
            # A copy that is ahead of us proves that its redrive stands in the ledger, before anything that we write.
            ahead = self.closed.is_parked(submission) and redriven > self.closed.redrives(submission)
            return Standing.FREE if ahead else Standing.CLOSED
        if self.superseded.counts(submission, now):
            return Standing.SUPERSEDED
        lease = self.leases.of(submission)
        return Standing.LEASED if lease and lease.ends_at > now else Standing.FREE

    def is_free(self, submission: bytes, lease: Lease | None, at: float) -> bool:
        """Say, between events, whether one of `at` finds it neither closed, superseded nor leased; `lease` is its."""
        if self.superseded.counts(submission, at):
            return False
        # What has a lease is not closed.
        return lease.expires_at <= at if lease else submission not in self.closed

    def lease_of_key(self, submission: bytes, key: bytes, at: float) -> Lease | None:
        """Return the lease that an event of `at` is about; None if that is not the submission's any more."""
        lease = self.leases.of(submission)
        return lease if lease and lease.key == key and not self.superseded.counts(submission, at) else None

    def close(self, submission: bytes, queue: str, url: bytes, at: float, settled_by: bytes | None = None) -> Outcome:
        """Let a submission be one that has ended, and has no lease: nobody wants its delivery any more.

        It is still found by the key that it was `settled_by`.
        """
        lease = self.leases.end(submission)
        if lease and lease.key != settled_by:
            self.keys.drop(lease.key, submission)
        self.delivered.pop(submission, None)
        self.superseded.drop(submission)
        self.waiting.drop(url or (lease.url if lease else b""), submission)
        # What has a lease is not closed.
        self.closed.add(submission, at, is_new=lease is not None)
        return Outcome(valid=True, gone=[(queue, submission)])

    def forget(self, now: float) -> None:
        """Forget what is too old to matter."""
        self.superseded.forget(now)
        for submission in [submission for submission in self.delivered if submission not in self.closed]:
            del self.delivered[submission]
