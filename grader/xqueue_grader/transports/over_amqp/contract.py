"""What AMQP graders and XQueue agree on: names, headers, how a delivery is read and a reply is made.

docs/reference/amqp.md has it for people and tests/vectors/amqp.json for programs; XQueue's services are held to both.
"""

import json
import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from typing import TypeGuard
from uuid import uuid4

import msgspec

from xqueue_grader.common.amqp.messages import Arrival, Message
from xqueue_grader.common.errors import BadMessageError, MessageTooLargeError, in_brief
from xqueue_grader.submission import Submission

RESULTS_EXCHANGE = "xqueue.results"
# The routing key of every reply to an LMS.
RESULTS_KEY = "xqueue.results"
# What XQueue's own queues begin with: nobody waits for an answer at one.
_OURS = "xqueue."

RETURN_HEADER = "xqueue-return"
SUBMISSION_ID_HEADER = "xqueue-submission-id"
ATTEMPT_HEADER = "xqueue-attempt"
# RabbitMQ's own: how often a message came back to its queue unsettled; not there the first time.
DELIVERY_COUNT_HEADER = "x-delivery-count"

# RabbitMQ takes 16 MiB a message from 4.0; the rest is room for properties and headers.
MAX_REPLY_BYTES = 15 * 1024 * 1024
# Properties and headers have to fit one frame, 128 KiB by default.
MAX_RETURN_BYTES = 112 * 1024
# What a header can carry that is published again.
_MAX_COUNT = 2**63 - 1

_UUID = re.compile("[0-9a-f]{32}")
_PROCESS = uuid4().hex
_publishes = count()


class _Work(msgspec.Struct):
    """What is read of a message's body."""

    xqueue_body: str
    xqueue_files: dict[str, str] = msgspec.field(default_factory=dict)


_decode_usual = msgspec.json.Decoder(_Work).decode


def submissions_queue(queue: str) -> str:
    """Name the RabbitMQ queue that holds the submissions of the course queue `queue`."""
    return f"xqueue.submissions.{queue}"


def paused_queue(queue: str) -> str:
    """Name the queue in which something lies while the course queue `queue` is paused."""
    return f"xqueue.paused.{queue}"


@dataclass(frozen=True, slots=True)
class Request:
    """A submission, or a classic RPC call: that has no return address, and its caller waits for the answer."""

    submission: Submission
    reply_to: str
    correlation_id: str | None
    sealed_return: str | None

    @property
    def is_call(self) -> bool:
        """Whether a program inside asks, and not an LMS."""
        return self.sealed_return is None

    def answer(self, reply: bytes) -> Message:
        """Make the message that answers it, for one publish; raise MessageTooLargeError."""
        if len(reply) > MAX_REPLY_BYTES:
            raise MessageTooLargeError(f"{len(reply)} bytes are more than the {MAX_REPLY_BYTES} that fit a message")
        return Message(
            reply,
            content_type="application/octet-stream",
            correlation_id=self.correlation_id,
            headers={} if self.sealed_return is None else {RETURN_HEADER: self.sealed_return},
            # Unique for each publish: returned messages are matched by it.
            message_id=f"{_PROCESS}-{next(_publishes)}",
            timestamp=datetime.now(UTC),
            type="xqueue.result",
        )


def read_request(message: Arrival, queue: str) -> Request:
    """Read a delivery from the course queue `queue`; raise BadMessageError where it is neither."""
    if RETURN_HEADER not in message.headers:
        return _read_call(message, queue)
    body, files = _read_work(message.body)
    uuid = message.correlation_id
    if uuid is None or not _UUID.fullmatch(uuid):
        raise BadMessageError(f"correlation_id {in_brief(uuid)} is not a submission's uuid", message.body)
    sealed_return = _sealed_return_of(message)
    seen = Submission(body, files, _id_of(uuid), queue, _count_in(message, ATTEMPT_HEADER, default=1), uuid)
    return Request(seen, message.reply_to or RESULTS_KEY, uuid, sealed_return)


def returns_of(message: Arrival) -> int:
    """Say how often a delivery came back to its queue, as far as the broker says so."""
    # At the first delivery the broker writes no count, and what stands there is what a publisher wrote.
    value = message.headers.get(DELIVERY_COUNT_HEADER, 0) if message.redelivered else 0
    return value if _is_count(value) else 0


def _read_call(message: Arrival, queue: str) -> Request:
    """Read what a program inside asks: its caller gives it a name and counts, or none."""
    if not message.reply_to or message.reply_to.startswith(_OURS):
        raise BadMessageError(f"it has neither {RETURN_HEADER} nor a reply_to at which a caller waits", message.body)
    body, files = _read_work(message.body)
    number, attempt = _count_in(message, SUBMISSION_ID_HEADER), _count_in(message, ATTEMPT_HEADER, default=1)
    seen = Submission(body, files, number, queue, attempt, message.correlation_id or "")
    return Request(seen, message.reply_to, message.correlation_id, None)


def _read_work(received: bytes) -> tuple[str, dict[str, str]]:
    """Read xqueue_body and xqueue_files."""
    # As nearly all is written. What this can't read may still be JSON: in UTF-16, say.
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        work = _decode_usual(received)
        return work.xqueue_body, work.xqueue_files
    try:
        content = json.loads(received)
        body, files = content["xqueue_body"], content.get("xqueue_files", {})
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadMessageError(f"the body is not the JSON of a submission: {error}", received) from error
    is_map = isinstance(files, dict) and all(isinstance(each, str) for item in files.items() for each in item)
    if not isinstance(body, str) or not is_map:
        raise BadMessageError("xqueue_body must be a string, xqueue_files map names to URLs", received)
    try:
        for text in (body, *files, *files.values()):
            text.encode()
    except UnicodeEncodeError as error:
        raise BadMessageError(
            "xqueue_body or xqueue_files has half a character: a surrogate alone", received
        ) from error
    return body, files


def _sealed_return_of(message: Arrival) -> str:
    value = message.headers.get(RETURN_HEADER)
    if isinstance(value, bytes):
        value = value.decode("ascii", errors="replace")
    if not isinstance(value, str):
        raise BadMessageError(f"the header {RETURN_HEADER} is missing", message.body)
    if len(value.encode(errors="replace")) > MAX_RETURN_BYTES:
        raise BadMessageError(
            f"the header {RETURN_HEADER} has more than the {MAX_RETURN_BYTES} bytes that fit a message", message.body
        )
    return value


def _id_of(uuid: str) -> int:
    """Derive the id that people know a submission by from its uuid."""
    return int(uuid, 16) & (2**53 - 1)


def _count_in(message: Arrival, name: str, *, default: int = 0) -> int:
    if name not in message.headers:
        return default
    value = message.headers[name]
    if not _is_count(value):
        raise BadMessageError(f"the header {name} is not a count: {in_brief(value)}", message.body)
    return value


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT
