"""How often a submission was tried: over HTTP, which the ledger knows, and over AMQP, which its message says."""

from broker_setup.ledger.answers import Lease
from broker_setup.wire.messages import Submission


def attempt_of(submission: Submission, before: Lease | None) -> int:
    """Number the attempt that a delivery of `submission` is, from 1; `before` is the newest lease of it, if any.

    Every lease was one; a delivery that comes again is none. A lease takes over what the message counted before it, and
    the message what the leases did: so the larger number holds both.
    """
    leased = before.attempt if before else 0
    return max(leased + 1, submission.attempt)
