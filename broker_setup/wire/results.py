"""The message of a result, and the only code that turns it into bytes and back."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from aio_pika import Message
from aio_pika.abc import AbstractIncomingMessage

from broker_setup.errors import BadMessageError, in_brief
from broker_setup.wire.properties import (
    AMENDMENT_HEADER,
    FAILING_SINCE_HEADER,
    NOTICE_HEADER,
    RECORDED_HEADER,
    REFUSALS_HEADER,
    RESULT_REDRIVEN_HEADER,
    RESULT_UNTOLD_HEADER,
    RETURN_HEADER,
    SENDER_HEADER,
    TRIES_HEADER,
    WAITS_HEADER,
    correlation_id_of,
    count_in,
    make_message,
    sealed_return_of,
)


@dataclass(frozen=True)
class Tries:
    """How a result's callback went so far.

    `made` callbacks were made and failed; the last `refused` of them were answered, with a refusal. It waited `waits`
    times on a rung for its own failures. At `since` it failed, or had to wait for its LMS, for the first time (seconds
    since the epoch; 0: never).
    """

    made: int = 0
    refused: int = 0
    waits: int = 0
    since: int = 0


NO_TRIES = Tries()


@dataclass(frozen=True)
class Result:
    """What a grader found: `body` is its reply byte for byte; `tries` is about its callback.

    `amendment` is 0 for a submission's first result and counts those that correct it, `redriven` counts how often an
    operator sent it on its way again: two results of one submission with the same numbers are the same to the LMS.
    `recorded` says that whoever published it writes to the ledger that the submission has ended; a `notice` is from us,
    and no repeat of what a grader found. `sender` is the broker's user that published it first, where the relay has put
    it on a rung before it could look whether that one may answer.
    `untold` says of a redriven one that its student was not told of its parking.
    """

    submission: str
    body: bytes
    sealed_return: str
    tries: Tries = NO_TRIES
    amendment: int = 0
    redriven: int = 0
    recorded: bool = False
    notice: bool = False
    sender: str | None = None
    untold: bool = False
    graded_at: datetime = field(default_factory=lambda: datetime.now(UTC))


def encode_result(result: Result) -> Message:
    """Make the AMQP message of a result; raise MessageTooLargeError if no broker would take it."""
    return make_message(
        result.body,
        kind="xqueue.result",
        content_type="application/octet-stream",
        correlation_id=result.submission,
        headers={RETURN_HEADER: result.sealed_return}
        # What is 0 is left out: most results are delivered at once.
        | {name: count for name, count in _counts(result).items() if count}
        | ({SENDER_HEADER: result.sender} if result.sender else {}),
        timestamp=result.graded_at,
    )


def decode_result(message: AbstractIncomingMessage, *, ours: bool = True) -> Result:
    """Read a delivery from the results queue; raise BadMessageError if it is no result.

    Unless it is `ours`, published by a service of XQueue, its bookkeeping is passed over, whatever that says.
    """
    result = Result(
        submission=correlation_id_of(message),
        body=message.body,
        sealed_return=sealed_return_of(message),
        graded_at=message.timestamp or datetime.now(UTC),
    )
    if not ours:
        return result
    return replace(
        result,
        tries=_tries(message),
        amendment=count_in(message, AMENDMENT_HEADER),
        redriven=count_in(message, RESULT_REDRIVEN_HEADER),
        recorded=count_in(message, RECORDED_HEADER) > 0,
        notice=count_in(message, NOTICE_HEADER) > 0,
        sender=_sender(message),
        untold=count_in(message, RESULT_UNTOLD_HEADER) > 0,
    )


def _counts(result: Result) -> dict[str, int]:
    return {
        AMENDMENT_HEADER: result.amendment,
        RESULT_REDRIVEN_HEADER: result.redriven,
        RECORDED_HEADER: int(result.recorded),
        NOTICE_HEADER: int(result.notice),
        RESULT_UNTOLD_HEADER: int(result.untold),
        TRIES_HEADER: result.tries.made,
        REFUSALS_HEADER: result.tries.refused,
        WAITS_HEADER: result.tries.waits,
        FAILING_SINCE_HEADER: result.tries.since,
    }


def _sender(message: AbstractIncomingMessage) -> str | None:
    value = message.headers.get(SENDER_HEADER)
    if value is not None and not isinstance(value, str):
        raise BadMessageError(f"the header {SENDER_HEADER} is no user: {in_brief(value)}", message.body)
    return value


def _tries(message: AbstractIncomingMessage) -> Tries:
    made, refused, waits, since = (
        count_in(message, name) for name in (TRIES_HEADER, REFUSALS_HEADER, WAITS_HEADER, FAILING_SINCE_HEADER)
    )
    return Tries(made, refused, waits, since) if made or waits or since else NO_TRIES
