"""How often a submission was tried: over HTTP, which the ledger knows, and over AMQP, which its message says."""

from broker_setup.ledger.answers import Lease
from broker_setup.wire.submissions import Submission


def why_parked(attempts: int, last: Lease | None) -> str:
    """Say for an operator why a submission is parked after so many attempts; `last` is its last lease, if any."""
    said = f"failed {attempts} times"
    if last and last.refused:
        alike = f" in {last.refused.leases} leases" if last.refused.leases > 1 else ""
        said += f"; a grader's reply was refused{alike}: {last.refused.why}"
    return said


def attempt_of(submission: Submission, before: Lease | None) -> int:
    """Number the attempt that a delivery of `submission` is, from 1; `before` is the newest lease of it, if any.

    Every lease was one; a delivery that comes again is none. A lease takes over what the message counted before it, and
    the message what the leases did: so the larger number holds both.
    """
    leased = before.attempt if before else 0
    return max(leased + 1, submission.attempt)
