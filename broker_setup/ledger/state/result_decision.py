"""Which results count: whether one may be taken, and what the events do that tell of results."""

from broker_setup.ledger.answers import VALID, VOID, Outcome, Refusal, Take
from broker_setup.ledger.events import Amended, Delivered, Graded
from broker_setup.ledger.heard import Heard
from broker_setup.ledger.state.facts import Facts
from broker_setup.ledger.state.settled import UNKNOWN_DIGEST

# A grader that corrects its result does so at once; later, the student has seen the first one.
AMENDMENT_SECONDS = 300.0
# Each is a callback, and stands in the ledger; without an end one lease would be enough to keep both busy.
MAX_AMENDMENTS = 20


def may_take(facts: Facts, submission_id: int, key: str, digest: bytes, now: float) -> Take | Refusal:
    """Say whether a result may be taken.

    A result for a lease that ran out is welcome as long as nobody else has leased or settled the submission since.
    """
    submission = facts.keys.find(submission_id, key)
    if isinstance(submission, Refusal):
        return submission
    settled = facts.settled.of(submission)
    if settled is None:
        lease = facts.leases.of(submission)
        if lease is None or facts.superseded.counts(submission, now):
            return Refusal.WRONG_KEY
        return Take(lease, amendment=0, late=lease.ends_at <= now)
    if settled.digest in {digest, UNKNOWN_DIGEST}:
        return Refusal.REPEAT
    if now - settled.at > AMENDMENT_SECONDS or settled.results > MAX_AMENDMENTS:
        return Refusal.WRONG_KEY
    return Take(settled.lease, settled.results, late=False)


def graded(facts: Facts, event: Graded, heard: Heard) -> Outcome:
    """Take in that the first result of a submission is safe."""
    now = heard.time_of(event.at)
    if event.submission in facts.delivered:
        # Its result was on its way here before we heard that the LMS has it.
        lease = facts.delivered.pop(event.submission)
        facts.waiting.drop(event.url, event.submission)
        if lease:
            facts.settled.settle(lease, event.key, event.digest, now)
        return VALID
    lease = facts.leases.of(event.submission)
    if lease is None and event.submission in facts.closed:
        settled = facts.settled.of(event.submission)
        # One that is here already: its sender tried again, at another gateway or before it was read back, and may
        # have been taken for an amendment there.
        if settled is None or settled.lease.key != event.key:
            return VOID
        return VALID if event.digest in (settled.first, settled.digest) else VOID
    outcome = facts.close(event.submission, event.queue, event.url, now, settled_by=event.key)
    if lease:
        facts.settled.settle(lease, event.key, event.digest, now)
    return outcome


def amended(facts: Facts, event: Amended, _: Heard) -> Outcome:
    """Take in that a further, different result of the same lease is safe."""
    settled = facts.settled.of(event.submission)
    if settled is None or settled.lease.key != event.key:
        return VOID
    if event.amendment < settled.results:
        # It stands here already, or another gateway's came first under this number.
        return VALID if event.digest == settled.digest else VOID
    facts.settled.amend(settled, event.digest, event.amendment + 1)
    return VALID


def delivered(facts: Facts, event: Delivered, heard: Heard) -> Outcome:
    """Take in that the LMS has a result, which no gateway may have come to write down."""
    submission = event.submission
    if facts.settled.of(submission):
        return VALID  # nearly always, and quickly
    # Of what was redriven it may be the notice by which its student heard that it was parked: a relay of 0.1.0 does
    # not say so.
    if event.notice or submission in facts.closed or facts.closed.redrives(submission):
        return VALID
    lease, now = facts.leases.of(submission), heard.time_of(event.at)
    outcome = facts.close(submission, lease.queue if lease else "", b"", now)
    facts.delivered[submission] = lease
    if lease and lease.key and lease.attempt == 1:
        # Nobody else ever had it, so it is this grader's result that the LMS has. If its gateway could not write
        # that down, and has told it to try again, it is welcome.
        facts.settled.settle(lease, lease.key, UNKNOWN_DIGEST, now)
    return outcome if lease else VALID
