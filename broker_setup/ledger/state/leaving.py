"""What leaves its queue ungraded: superseded, retired or parked; and comes back, redriven by an operator."""

from broker_setup.ledger.answers import VALID, VOID, Lease, Outcome
from broker_setup.ledger.events import Parked, Redriven, Retired, Superseded
from broker_setup.ledger.heard import Heard
from broker_setup.ledger.state.facts import Facts


def left(facts: Facts, event: Superseded | Retired, heard: Heard) -> Outcome:
    """Take in that a submission was taken out for good."""
    if event.submission in facts.closed:
        facts.closed.unpark(event.submission)
        return VALID
    url = b"" if isinstance(event, Superseded) else event.url
    return facts.close(event.submission, event.queue, url, heard.time_of(event.at))


def parked(facts: Facts, event: Parked, heard: Heard) -> Outcome:
    """Take in that a submission was set aside, for an operator to look at."""
    # One that was delivered, and is closed by that alone, was parked all the same: what was delivered is its student's
    # notice, of which a relay of 0.1.0 does not say so.
    if event.submission in facts.closed and event.submission not in facts.delivered:
        return VALID
    if event.redriven < facts.closed.redrives(event.submission):
        return VOID  # once more, after a write whose confirm got lost: it has been redriven since
    sender = facts.superseded.sender_of(event.submission)
    if sender is None:
        senders = (sender for waiting, _, _, sender in facts.waiting.at(event.url) if waiting == event.submission)
        sender = next(senders, None)
    if event.submission in facts.delivered:
        facts.settled.unsettle(event.submission)
    outcome = facts.close(event.submission, event.queue, event.url, heard.time_of(event.at))
    facts.closed.park(event.submission, event.redriven, sender)
    return outcome


def redriven(facts: Facts, event: Redriven, heard: Heard) -> Outcome:
    """Take in that a parked submission waits again."""
    submission = event.submission
    if event.number <= facts.closed.redrives(submission):
        return VALID
    if submission in facts.closed and not facts.closed.is_parked(submission):
        return VOID
    sender = facts.closed.redrive(submission, event.number)
    if facts.leases.of(submission) is None:
        # As if it had been released now: what was leased before, and is written once more, stays void.
        at, now = event.at, heard.time_of(event.at)
        facts.leases.keep_back(Lease(submission, event.queue, event.url, b"", at, at, "", 0, now, now))
    if event.url and sender is not None and submission not in facts.superseded:
        entries = facts.waiting.at(event.url)
        if all(waiting != submission for waiting, *_ in entries):
            facts.waiting.put(event.url, entries, submission, event.at, event.queue, sender=sender)
    return VALID
