"""The message of a result, and the only code that turns it into bytes and back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, field

from broker_setup.amqp.messages import Arrival, Message
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
    count_in,
    decode_return,
    make_message,
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


class Result(Struct, frozen=True, gc=False):
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
    headers: dict[str, Any] = {RETURN_HEADER: result.sealed_return}
    # What is 0 is left out: most results are delivered at once.
    headers.update((name, count) for name, count in _counts(result) if count)
    if result.sender:
        headers[SENDER_HEADER] = result.sender
    return make_message(
        result.body,
        kind="xqueue.result",
        content_type="application/octet-stream",
        correlation_id=result.submission,
        headers=headers,
        timestamp=result.graded_at,
    )


def decode_result(message: Arrival, *, ours: bool = True) -> Result:
    """Read a delivery from the results queue; raise BadMessageError if it is no result.

    Unless it is `ours`, published by a service of XQueue, its bookkeeping is passed over, whatever that says.
    """
    submission, sealed_return = decode_return(message)
    bookkeeping: dict[str, Any] = {}
    if ours:
        bookkeeping = {
            "tries": _tries(message),
            "amendment": count_in(message, AMENDMENT_HEADER),
            "redriven": count_in(message, RESULT_REDRIVEN_HEADER),
            "recorded": count_in(message, RECORDED_HEADER) > 0,
            "notice": count_in(message, NOTICE_HEADER) > 0,
            "sender": _sender(message),
            "untold": count_in(message, RESULT_UNTOLD_HEADER) > 0,
        }
    return Result(
        submission=submission,
        body=message.body,
        sealed_return=sealed_return,
        graded_at=message.timestamp or datetime.now(UTC),
        **bookkeeping,
    )


def _counts(result: Result) -> Iterable[tuple[str, int]]:
    tries = result.tries
    return (
        (RECORDED_HEADER, int(result.recorded)),
        (AMENDMENT_HEADER, result.amendment),
        (RESULT_REDRIVEN_HEADER, result.redriven),
        (NOTICE_HEADER, int(result.notice)),
        (RESULT_UNTOLD_HEADER, int(result.untold)),
        (TRIES_HEADER, tries.made),
        (REFUSALS_HEADER, tries.refused),
        (WAITS_HEADER, tries.waits),
        (FAILING_SINCE_HEADER, tries.since),
    )


def _sender(message: Arrival) -> str | None:
    value = message.headers.get(SENDER_HEADER)
    if value is not None and not isinstance(value, str):
        raise BadMessageError(f"the header {SENDER_HEADER} is no user: {in_brief(value)}", message.body)
    return value


def _tries(message: Arrival) -> Tries:
    made, refused = count_in(message, TRIES_HEADER), count_in(message, REFUSALS_HEADER)
    waits, since = count_in(message, WAITS_HEADER), count_in(message, FAILING_SINCE_HEADER)
    return Tries(made, refused, waits, since) if made or waits or since else NO_TRIES
