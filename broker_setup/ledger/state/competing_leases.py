"""Which lease counts: of two of one submission the first in the ledger is the lease, and the second is void.

Each function takes what is known, an event, and when it was heard; it writes down what follows, and says whether the
event was valid.
"""

from sys import intern

from msgspec.structs import replace

from broker_setup.ledger.answers import VALID, VOID, Lease, Outcome
from broker_setup.ledger.events import Extended, Leased, Released
from broker_setup.ledger.heard import Heard
from broker_setup.ledger.state.facts import Facts

# A lease that ran out longer ago than this may be unknown to whoever has started since.
_KNOWN_SECONDS = 3600.0


def leased(facts: Facts, event: Leased, heard: Heard) -> Outcome:
    """Take in that a grader was given a submission."""
    before = facts.leases.of(event.submission)
    if before and before.key == event.key:
        return VALID
    if not facts.is_free(event.submission, before, event.at) or (before and _has_not_seen(event, before)):
        return VOID
    facts.leases.give(_lease_of(event, before, heard))
    return VALID


def extended(facts: Facts, event: Extended, heard: Heard) -> Outcome:
    """Take in that a lease runs longer; or that it goes on as it was, after a reply that was refused."""
    lease = facts.lease_of_key(event.submission, event.key, event.at)
    if lease is None:
        return VOID
    if event.refused:
        facts.leases.refuse(lease, event.digest, event.refused, event.again)
        return VALID
    longer = replace(
        lease,
        expires_at=max(lease.expires_at, event.expires_at),
        ends_at=max(lease.ends_at, heard.end_of(event.at, event.expires_at)),
    )
    facts.leases.change(lease, longer)
    return VALID


def released(facts: Facts, event: Released, heard: Heard) -> Outcome:
    """Take in that a grader gave a submission back."""
    lease = facts.lease_of_key(event.submission, event.key, event.at)
    if lease is None:
        return VOID
    given_back = replace(
        lease,
        expires_at=event.available_at,
        ends_at=heard.end_of(event.at, event.available_at),
        key=b"",
        # Without a failure it was no attempt.
        attempt=lease.attempt - (not event.failed),
    )
    facts.leases.change(lease, given_back)
    return VALID


def _has_not_seen(event: Leased, before: Lease) -> bool:
    """Say whether the writer of a lease did not know the one before it: where clocks differ, times alone prove little.

    What ran out long ago may be out of sight for whoever has started since.
    """
    is_recent = event.at - before.expires_at < _KNOWN_SECONDS
    return is_recent and event.after is not None and bool(before.key) and before.key != event.after


def _lease_of(event: Leased, before: Lease | None, heard: Heard) -> Lease:
    """Make the lease that an event tells of, where `before` is that which the submission had last."""
    return Lease(
        event.submission,
        intern(event.queue),  # one string for all leases of a queue
        event.url,
        event.key,
        event.at,
        event.expires_at,
        event.sealed,
        event.attempt,
        began=heard.time_of(event.at),
        ends_at=heard.end_of(event.at, event.expires_at),
        refused=before.refused if before else None,
    )
