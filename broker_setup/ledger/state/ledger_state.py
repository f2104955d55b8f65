"""What the ledger says of leases and queues: events in, answers out; no I/O, no clock, no settings, no deliveries.

Every gateway applies the same events in the same order, so all of them come to the same answers. What an event does
follows from events alone; what is to be done with a delivery *now* goes by the steady clock of whoever asks, and by
when he heard of each event.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from broker_setup.ledger.answers import VALID, Lease, Outcome, Refusal, Standing, Take
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
from broker_setup.ledger.state.closed import TRIM_SECONDS
from broker_setup.ledger.state.competing_leases import extended, leased, released
from broker_setup.ledger.state.facts import Facts
from broker_setup.ledger.state.leaving import left, parked, redriven
from broker_setup.ledger.state.result_decision import amended, delivered, graded, may_take
from broker_setup.ledger.state.superseding import submitted

# Expired is not here, for it is a matter of time; what else relays and operators write is history, for `trace`.
_DECIDES: Mapping[type, Callable[[Facts, Any, Heard], Outcome]] = {
    Submitted: submitted,
    Leased: leased,
    Extended: extended,
    Released: released,
    Graded: graded,
    Amended: amended,
    Superseded: left,
    Retired: left,
    Parked: parked,
    Redriven: redriven,
    Delivered: delivered,
}


class LedgerState:
    """How each submission stands: leased, closed, waiting, or superseded by a newer one."""

    def __init__(self) -> None:
        self._facts = Facts()
        self._looked_at = 0.0

    def apply(self, event: AnyEvent, heard: Heard | None = None) -> Outcome:
        """Take an event in; applying one again that came before changes nothing.

        Without `heard` its own times are taken.
        """
        at = event.at
        if heard is None:
            heard = Heard(at)
        # A replay asks some million times: what is within its bounds is not asked for by a call.
        now = at if heard.since <= at <= heard.at else heard.time_of(at)
        if now - self._looked_at >= TRIM_SECONDS:
            self._looked_at = now
            self._facts.forget(now)
        decide = _DECIDES.get(type(event))
        return decide(self._facts, event, heard) if decide else VALID

    # One submission.

    def standing(self, submission: bytes, now: float, redriven: int = 0) -> Standing:
        """Say what may be done with a delivery of `submission` at `now`, a copy that was redriven so often."""
        return self._facts.standing(submission, now, redriven)

    def is_parked(self, submission: bytes) -> bool:
        """Say whether a submission was parked, and neither redriven nor retired since."""
        return self._facts.closed.is_parked(submission)

    def redrives(self, submission: bytes) -> int:
        """Count how often a submission was redriven."""
        return self._facts.closed.redrives(submission)

    def lease_of(self, submission: bytes) -> Lease | None:
        """Return the newest lease of an unsettled submission, running or run out."""
        return self._facts.leases.of(submission)

    def superseded_by(self, submission: bytes) -> bytes:
        """Return which submission took the place of this SUPERSEDED one."""
        return self._facts.superseded.by(submission)

    # What a grader names by id and key.

    def may_take(self, submission_id: int, key: str, digest: bytes, now: float) -> Take | Refusal:
        """Say whether a result may be taken.

        A result for a lease that ran out is welcome as long as nobody else has leased or settled the submission since.
        """
        return may_take(self._facts, submission_id, key, digest, now)

    def find(self, submission_id: int, key: str, now: float) -> Lease | Refusal:
        """Return the running lease of that key; WRONG_KEY also if it has run out or its submission is settled."""
        submission = self._facts.keys.find(submission_id, key)
        if isinstance(submission, Refusal):
            return submission
        lease = self._facts.leases.of(submission)
        return lease if lease and lease.ends_at > now else Refusal.WRONG_KEY

    def queue_of(self, submission_id: int, key: str) -> str | None:
        """Return the queue of what may_take and find speak of, whether the key is right or not; None if unknown."""
        submission = self._facts.keys.find_anyhow(submission_id, key)
        settled = self._facts.settled.of(submission)
        lease = settled.lease if settled else self._facts.leases.of(submission)
        return lease.queue if lease else None

    # All leases, and how many wait.

    def running(self, now: float) -> Iterator[Lease]:
        """Yield the leases that run at `now`."""
        return self._facts.leases.running(now)

    def run_out(self, now: float) -> list[Lease]:
        """Return each lease whose time is up, once."""
        return self._facts.leases.run_out(now)

    def sealed_in(self, queue: str, now: float) -> int:
        """Say what the leases of `queue` that run, or hold work back, keep in memory: their sealed return addresses."""
        return self._facts.leases.sealed_in(queue, now)

    def superseded_in(self, queue: str) -> int:
        """Count the superseded submissions that have not left the broker's queue, ready or held: they wait no more."""
        return self._facts.superseded.number_in(queue)

    def expected_in(self, queue: str, now: float) -> int:
        """Count what waits in `queue` as far as is known here: whoever takes work past the gateways leaves no trace."""
        return self._facts.waiting.count(queue) - self._facts.leases.held_in(queue, now)

    def waiting_in(self, queue: str, ready: int, now: float) -> int:
        """Count what waits in `queue`, of which `ready` messages are with nobody at `now` (seconds since the epoch).

        The broker alone knows what is ready, and the ledger alone what of that is superseded, and waits no more.
        Neither says which superseded ones are ready: what an AMQP grader takes stands in no ledger before its reply. So
        the broker's number is the upper bound, the same less everything superseded is the lower one, and in between
        counts what the ledger expects.

        Never too low because of what graders hold. Too high by the superseded ones that are ready, at most, and by no
        more than there are submissions that the ledger expects and the broker has not: held over AMQP, or gone unheard
        of.
        """
        superseded = self.superseded_in(queue)
        if not superseded:
            return ready  # nearly always, and quickly: each submit asks
        return min(ready, max(self.expected_in(queue, now), ready - superseded, 0))
