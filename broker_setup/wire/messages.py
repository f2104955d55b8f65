"""The two messages that travel through the broker, and the only code that turns them into bytes and back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, TypeGuard
from uuid import uuid4

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractIncomingMessage

from broker_setup.errors import BadMessageError, MessageTooLargeError, in_brief
from broker_setup.topology import RESULTS_QUEUE

RETURN_HEADER = "xqueue-return"
SUBMISSION_ID_HEADER = "xqueue-submission-id"
ATTEMPT_HEADER = "xqueue-attempt"
REDRIVEN_HEADER = "xqueue-redriven"
UNTOLD_HEADER = "xqueue-untold"
# Of results, and of no submission: a grader may echo all that its submission had, and means nothing by it.
AMENDMENT_HEADER = "xqueue-amendment"
RECORDED_HEADER = "xqueue-recorded"
NOTICE_HEADER = "xqueue-notice"
RESULT_REDRIVEN_HEADER = "xqueue-result-redriven"
SENDER_HEADER = "xqueue-sender"
RESULT_UNTOLD_HEADER = "xqueue-result-untold"
# Of a result that could not be delivered yet: what Tries holds.
TRIES_HEADER = "xqueue-callback-tries"
REFUSALS_HEADER = "xqueue-refusals"
WAITS_HEADER = "xqueue-waits"
FAILING_SINCE_HEADER = "xqueue-failing-since"
# RabbitMQ's own: how often a message came back to its queue unsettled; not there the first time.
DELIVERY_COUNT_HEADER = "x-delivery-count"
# What XQueue itself keeps on a result.
BOOKKEEPING_HEADERS = frozenset(
    {
        AMENDMENT_HEADER,
        RECORDED_HEADER,
        NOTICE_HEADER,
        RESULT_REDRIVEN_HEADER,
        SENDER_HEADER,
        RESULT_UNTOLD_HEADER,
        TRIES_HEADER,
        REFUSALS_HEADER,
        WAITS_HEADER,
        FAILING_SINCE_HEADER,
    }
)

# The one without which nothing can be delivered first.
OUR_HEADERS = (
    RETURN_HEADER,
    SUBMISSION_ID_HEADER,
    ATTEMPT_HEADER,
    REDRIVEN_HEADER,
    UNTOLD_HEADER,
    *sorted(BOOKKEEPING_HEADERS),
)

# RabbitMQ takes 16 MiB a message from 4.0 (128 MiB before); the rest is room for properties and headers.
MAX_MESSAGE_BYTES = 15 * 1024 * 1024

# Properties and headers have to fit one frame, 128 KiB by default; the sealed return address is the large one.
MAX_RETURN_BYTES = 112 * 1024

# A body up to this size fits a message again: ours is larger by a header of it and by spaces, or, where it was sent in
# UTF-16, by half.
_FITS_AGAIN_BYTES = MAX_MESSAGE_BYTES // 2
# What a header that we publish can carry; a stranger may have written more.
_MAX_COUNT = 2**63 - 1

_PROCESS = uuid4().hex
_publishes = count()

_UUID_LENGTH = 32
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class Submission:
    """What a grader is to grade.

    `uuid` is 32 hex characters; `body` the student's work as the LMS sent it; `files` maps a file's name to the URL
    where a grader fetches it; `sealed_return` is the sealed return address; `attempt` counts from 1, `redriven` says
    how often an operator has sent it on its way again. `untold` says that it was parked, and its student was not
    told of that.
    """

    uuid: str
    queue: str
    body: str
    sealed_return: str
    files: Mapping[str, str] = field(default_factory=dict)
    submitted_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    attempt: int = 1
    redriven: int = 0
    untold: bool = False

    @property
    def uuid_bytes(self) -> bytes:
        """The uuid as the ledger has it: 16 bytes."""
        return bytes.fromhex(self.uuid)

    @property
    def submission_id(self) -> int:
        """The id on the wire."""
        return submission_id_of(self.uuid_bytes)


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


def submission_id_of(uuid: bytes) -> int:
    """Derive the id on the wire from a uuid's 16 bytes: below 2^53, so that JavaScript and `%d` keep it whole."""
    return int.from_bytes(uuid) & (2**53 - 1)


def encode_submission(submission: Submission) -> Message:
    """Make the AMQP message of a submission; raise MessageTooLargeError if no broker would take it."""
    if _is_too_large(submission.sealed_return):
        raise MessageTooLargeError(f"the LMS's header makes more than the {MAX_RETURN_BYTES} bytes that fit a message")
    body = json.dumps(
        {
            "xqueue_header": {"submission_id": submission.submission_id, "queue_name": submission.queue},
            "xqueue_body": submission.body,
            "xqueue_files": dict(submission.files),
        },
        ensure_ascii=False,
    ).encode()
    return _message(
        body,
        kind="xqueue.submission",
        content_type="application/json",
        correlation_id=submission.uuid,
        headers={
            RETURN_HEADER: submission.sealed_return,
            SUBMISSION_ID_HEADER: submission.submission_id,
            ATTEMPT_HEADER: submission.attempt,
            **({REDRIVEN_HEADER: submission.redriven} if submission.redriven else {}),
            **({UNTOLD_HEADER: 1} if submission.untold else {}),
        },
        reply_to=RESULTS_QUEUE,
        timestamp=submission.submitted_at,
    )


def decode_submission(message: AbstractIncomingMessage, queue: str) -> Submission:
    """Read a delivery from the course queue `queue`; raise BadMessageError if it is no submission.

    What it returns can be published again.
    """
    body, files = decode_work(message.body)
    submission = Submission(
        uuid=_correlation_id(message),
        queue=queue,
        body=body,
        files=files,
        sealed_return=_sealed_return(message),
        submitted_at=message.timestamp or datetime.now(UTC),
        attempt=_count(message, ATTEMPT_HEADER, default=1),
        redriven=_count(message, REDRIVEN_HEADER),
        untold=_count(message, UNTOLD_HEADER) > 0,
    )
    if len(message.body) > _FITS_AGAIN_BYTES:
        try:
            encode_submission(submission)
        except MessageTooLargeError as error:
            raise BadMessageError(f"it is no submission of ours: {error}", message.body) from error
    return submission


def decode_work(received: bytes) -> tuple[str, dict[str, str]]:
    """Read what is to be graded, xqueue_body and xqueue_files, from a message's body; raise BadMessageError."""
    try:
        content = json.loads(received)
        body, files = content["xqueue_body"], content.get("xqueue_files", {})
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadMessageError(f"the body is not the JSON of a submission: {error}", received) from error
    if not isinstance(body, str) or not _is_string_map(files):
        raise BadMessageError("xqueue_body must be a string, xqueue_files map names to URLs", received)
    try:
        for text in (body, *files, *files.values()):
            text.encode()
    except UnicodeEncodeError as error:
        raise BadMessageError(
            "xqueue_body or xqueue_files has half a character: a surrogate alone", received
        ) from error
    return body, files


def decode_return(message: AbstractIncomingMessage) -> tuple[str, str]:
    """Read the uuid and the sealed return address of a delivery, whatever else it is; raise BadMessageError."""
    return _correlation_id(message), _sealed_return(message)


def encode_result(result: Result) -> Message:
    """Make the AMQP message of a result; raise MessageTooLargeError if no broker would take it."""
    return _message(
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
        submission=_correlation_id(message),
        body=message.body,
        sealed_return=_sealed_return(message),
        graded_at=message.timestamp or datetime.now(UTC),
    )
    if not ours:
        return result
    return replace(
        result,
        tries=_tries(message),
        amendment=_count(message, AMENDMENT_HEADER),
        redriven=_count(message, RESULT_REDRIVEN_HEADER),
        recorded=_count(message, RECORDED_HEADER) > 0,
        notice=_count(message, NOTICE_HEADER) > 0,
        sender=_sender(message),
        untold=_count(message, RESULT_UNTOLD_HEADER) > 0,
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
        _count(message, name) for name in (TRIES_HEADER, REFUSALS_HEADER, WAITS_HEADER, FAILING_SINCE_HEADER)
    )
    return Tries(made, refused, waits, since) if made or waits or since else NO_TRIES


def _message(
    body: bytes,
    *,
    kind: str,
    content_type: str,
    correlation_id: str,
    headers: dict[str, Any],
    reply_to: str | None = None,
    timestamp: datetime | None = None,
) -> Message:
    if len(body) > MAX_MESSAGE_BYTES:
        raise MessageTooLargeError(f"{len(body)} bytes are more than the {MAX_MESSAGE_BYTES} bytes that fit a message")
    return Message(
        body,
        delivery_mode=DeliveryMode.PERSISTENT,
        content_type=content_type,
        correlation_id=correlation_id,
        headers=headers,
        # Unique for each publish, not for each submission: returned messages are matched by it.
        message_id=f"{_PROCESS}-{next(_publishes)}",
        reply_to=reply_to,
        timestamp=timestamp or datetime.now(UTC),
        type=kind,
    )


def _correlation_id(message: AbstractIncomingMessage) -> str:
    uuid = message.correlation_id
    if not is_uuid(uuid):
        raise BadMessageError(f"correlation_id {in_brief(uuid)} is not a submission's uuid", message.body)
    return uuid


def _sealed_return(message: AbstractIncomingMessage) -> str:
    value = message.headers.get(RETURN_HEADER)
    if isinstance(value, bytes):
        value = value.decode("ascii", errors="replace")
    if not isinstance(value, str):
        raise BadMessageError(f"the header {RETURN_HEADER} is missing", message.body)
    if _is_too_large(value):
        raise BadMessageError(
            f"the header {RETURN_HEADER} has more than the {MAX_RETURN_BYTES} bytes that fit a message", message.body
        )
    return value


def _is_too_large(sealed_return: str) -> bool:
    return len(sealed_return.encode(errors="replace")) > MAX_RETURN_BYTES


def _count(message: AbstractIncomingMessage, name: str, *, default: int = 0) -> int:
    value = message.headers.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _MAX_COUNT:
        raise BadMessageError(f"the header {name} is not a count: {in_brief(value)}", message.body)
    return value


def is_uuid(value: object) -> TypeGuard[str]:
    """Say whether `value` is a submission's uuid as messages carry it: 32 lower-case hex characters."""
    return isinstance(value, str) and len(value) == _UUID_LENGTH and all(digit in _HEX for digit in value)


def _is_string_map(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(name, str) and isinstance(url, str) for name, url in value.items()
    )
