"""Whether a submission may be leased, as a decision without I/O: leased, parked, put off, or left to whoever has it."""

from collections.abc import Callable

from msgspec import Struct
from msgspec.structs import replace

from broker_setup.errors import BadReturnAddressError, UnknownSecretError
from broker_setup.ledger.answers import Lease, Standing
from broker_setup.ledger.events import MAX_GRADER, Leased, hash_key, hash_url
from broker_setup.wire.submissions import Submission


class Grant(Struct, frozen=True, gc=False):
    """Write this event; once the ledger finds it valid, the submission is leased."""

    event: Leased


class Park(Struct, frozen=True, gc=False):
    """No grader shall see this submission any more."""

    submission: Submission
    why: str


class PutOff(Struct, frozen=True, gc=False):
    """It can't be leased here; elsewhere, or later, it may be."""

    why: str


class LookAgain(Struct, frozen=True, gc=False):
    """Something has happened to it since it began to wait."""


Decision = Grant | Park | PutOff | LookAgain


class Terms(Struct, frozen=True, gc=False):
    """On which terms a queue leases: for how long (seconds), and how often."""

    processing_delay: float
    max_attempts: int


def decide(
    submission: Submission,
    standing: Standing,
    last: Lease | None,
    *,
    terms: Terms,
    now: float,
    key: str,
    grader: str,
    callback_url: Callable[[Submission], str],
) -> Decision:
    """Decide on a lease of `grader` with `key` at `now` (seconds since the epoch); `last` is the newest before, if any.

    `callback_url` opens the return address; it may raise BadReturnAddressError or UnknownSecretError.
    """
    if standing is not Standing.FREE:
        return LookAgain()
    attempt = attempt_of(submission, last)
    if attempt > terms.max_attempts:
        return Park(replace(submission, attempt=attempt - 1), why_parked(attempt - 1, last))
    if last:
        # By our own clock it has run out. Other gateways compare the times in the ledger, and its writer's clock may be
        # ahead: so the new lease begins no earlier than the old one ends.
        now = max(now, last.expires_at)
    try:
        url = callback_url(submission)
    except BadReturnAddressError as error:
        return Park(submission, str(error))
    except UnknownSecretError as error:
        return PutOff(str(error))
    return Grant(
        Leased(
            at=now,
            submission=submission.uuid_bytes,
            queue=submission.queue,
            url=hash_url(url),
            key=hash_key(key),
            expires_at=now + terms.processing_delay,
            sealed=submission.sealed_return,
            attempt=attempt,
            after=last.key if last else b"",
            grader=grader[:MAX_GRADER],
        )
    )


def attempt_of(submission: Submission, before: Lease | None) -> int:
    """Number the attempt that a delivery of `submission` is, from 1; `before` is the newest lease of it, if any.

    The ledger counts attempts over HTTP, the message those over AMQP. Every lease is an attempt; a delivery that comes
    again is none. A lease's number includes what the message had counted before it, and the message's what the leases
    had: so the larger of the two counts both.
    """
    leased = before.attempt if before else 0
    return max(leased + 1, submission.attempt)


def why_parked(attempts: int, last: Lease | None) -> str:
    """Say for an operator why a submission is parked after so many attempts; `last` is its last lease, if any."""
    said = f"failed {attempts} times"
    if last and last.refused:
        alike = f" in {last.refused.leases} leases" if last.refused.leases > 1 else ""
        said += f"; a grader's reply was refused{alike}: {last.refused.why}"
    return said
