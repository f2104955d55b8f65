"""Who takes whose place: what a submit does to older submissions with its callback URL."""

from broker_setup.ledger.answers import VALID, Outcome
from broker_setup.ledger.events import Submitted
from broker_setup.ledger.heard import Heard
from broker_setup.ledger.state.facts import Facts
from broker_setup.ledger.state.superseded import SUPERSEDABLE_SECONDS
from broker_setup.ledger.state.waiting import NO_SENDER, Entry


def submitted(facts: Facts, event: Submitted, _: Heard) -> Outcome:
    """Take in that a submission waits, and which older ones wait no more."""
    url = event.url or event.url_alone
    # Neither supersedes nor is superseded: there may be any number of them with one URL.
    if event.supersede_after is None or not url:
        return VALID
    # Once more, after a write whose confirm got lost: it must not take the place of what came in between.
    if event.submission in facts.closed or event.submission in facts.superseded:
        facts.closed.note_supersedable(event.submission, event.sender or NO_SENDER)
        return VALID
    entries = facts.waiting.at(url)
    if not entries:  # nearly always, and quickly
        facts.waiting.put(url, entries, event.submission, event.at, event.queue, sender=event.sender)
        return VALID
    if any(submission == event.submission for submission, *_ in entries):
        return VALID
    older = [
        entry
        for entry in entries
        if _may_decide(facts, event, entry)
        and event.supersede_after <= event.at - entry[1] < SUPERSEDABLE_SECONDS
        and _nobody_grades(facts, entry[0], event.at)
    ]
    if older:
        left = set(older)
        entries = [entry for entry in entries if entry not in left]
    facts.waiting.put(url, entries, event.submission, event.at, event.queue, sender=event.sender, instead_of=older)
    gone = []
    for entry in older:
        submission, submitted_at, _number, sender = entry
        # The older one's queue may be another: a problem can be given a new one.
        queue = facts.waiting.queue_of(entry)
        facts.superseded.add(submission, by=event.submission, queue=queue, submitted_at=submitted_at, sender=sender)
        facts.leases.pass_over(submission)
        gone.append((queue, submission))
    return Outcome(valid=True, gone=gone) if gone else VALID


def _may_decide(facts: Facts, event: Submitted, entry: Entry) -> bool:
    """Say whether a submission's sender may decide that nobody grades this one: theirs, or in a queue that is."""
    if event.sender == entry[3]:
        return True
    return event.anybodys and event.queue == facts.waiting.queue_of(entry)


def _nobody_grades(facts: Facts, submission: bytes, at: float) -> bool:
    # What was released waits for its delay to pass; that is no reason to grade it in the end.
    lease = facts.leases.of(submission)
    released = lease is not None and not lease.key
    return facts.is_free(submission, lease, at) or released
