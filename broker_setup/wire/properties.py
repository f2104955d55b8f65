"""Headers and properties that submissions and results have in common: their names, bounds, and how they are read."""

import os
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol, TypeGuard
from uuid import uuid4

from broker_setup.amqp.messages import Message
from broker_setup.errors import BadMessageError, MessageTooLargeError, in_brief

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
# W3C Trace Context: there where spans are sent, for graders that send some, too. Ours need no header for that.
TRACEPARENT_HEADER = "traceparent"
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
# What a header that we publish can carry; a stranger may have written more.
_MAX_COUNT = 2**63 - 1

_PROCESS = uuid4().hex
_publishes = count()

_UUID = re.compile("[0-9a-f]{32}")
_TRACEPARENT = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Received(Protocol):
    """What is read of a delivery, whichever library's it is."""

    @property
    def body(self) -> bytes: ...  # noqa: D102

    @property
    def headers(self) -> Mapping[str, Any]: ...  # noqa: D102

    @property
    def correlation_id(self) -> str | None: ...  # noqa: D102

    @property
    def timestamp(self) -> datetime | None: ...  # noqa: D102

    @property
    def redelivered(self) -> bool | None: ...  # noqa: D102


def submission_id_of(uuid: bytes) -> int:
    """Derive the id on the wire from a uuid's 16 bytes: below 2^53, so that JavaScript and `%d` keep it whole."""
    return int.from_bytes(uuid) & (2**53 - 1)


def new_uuid() -> str:
    """Make a submission's uuid: 128 random bits, 32 lower-case hex characters."""
    return os.urandom(16).hex()


def is_uuid(value: object) -> TypeGuard[str]:
    """Say whether `value` is a submission's uuid as messages carry it: 32 lower-case hex characters."""
    return isinstance(value, str) and _UUID.fullmatch(value) is not None


def traceparent_of(message: Received) -> str:
    """Return a delivery's traceparent, if it is one; else ""."""
    value = message.headers.get(TRACEPARENT_HEADER)
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else ""


def decode_return(message: Received) -> tuple[str, str]:
    """Read the uuid and the sealed return address of a delivery, whatever else it is; raise BadMessageError."""
    return correlation_id_of(message), sealed_return_of(message)


def make_message(
    body: bytes,
    *,
    kind: str,
    content_type: str,
    correlation_id: str,
    headers: dict[str, Any],
    reply_to: str | None = None,
    timestamp: datetime | None = None,
) -> Message:
    """Make a durable message of ours, with an id of its own; raise MessageTooLargeError if no broker would take it."""
    if len(body) > MAX_MESSAGE_BYTES:
        raise MessageTooLargeError(f"{len(body)} bytes are more than the {MAX_MESSAGE_BYTES} bytes that fit a message")
    return Message(
        body,
        content_type=content_type,
        correlation_id=correlation_id,
        headers=headers,
        # Unique for each publish, not for each submission: returned messages are matched by it.
        message_id=f"{_PROCESS}-{next(_publishes)}",
        reply_to=reply_to,
        timestamp=timestamp or datetime.now(UTC),
        type=kind,
    )


def correlation_id_of(message: Received) -> str:
    """Read the uuid of the submission that a message is about; raise BadMessageError."""
    uuid = message.correlation_id
    if not is_uuid(uuid):
        raise BadMessageError(f"correlation_id {in_brief(uuid)} is not a submission's uuid", message.body)
    return uuid


def sealed_return_of(message: Received) -> str:
    """Read the sealed return address; raise BadMessageError where there is none, or one that fits no message again."""
    value = message.headers.get(RETURN_HEADER)
    if isinstance(value, bytes):
        value = value.decode("ascii", errors="replace")
    if not isinstance(value, str):
        raise BadMessageError(f"the header {RETURN_HEADER} is missing", message.body)
    if is_too_large(value):
        raise BadMessageError(
            f"the header {RETURN_HEADER} has more than the {MAX_RETURN_BYTES} bytes that fit a message", message.body
        )
    return value


def is_too_large(sealed_return: str) -> bool:
    """Say whether a sealed return address leaves no room in a frame for the other headers."""
    # No character has more than four bytes.
    return len(sealed_return) * 4 > MAX_RETURN_BYTES and len(sealed_return.encode(errors="replace")) > MAX_RETURN_BYTES


def count_in(message: Received, name: str, *, default: int = 0) -> int:
    """Read a header that counts something; raise BadMessageError where it is no count."""
    value = message.headers.get(name)
    if value is None and name not in message.headers:
        return default
    if not _is_count(value):
        raise BadMessageError(f"the header {name} is not a count: {in_brief(value)}", message.body)
    return value


def returns_of(message: Received) -> int:
    """Say how often a delivery came back to its queue, as far as the broker says so."""
    # At the first delivery the broker writes no count, and what stands there is what a publisher wrote: each such
    # message would cost a process.
    value = message.headers.get(DELIVERY_COUNT_HEADER, 0) if message.redelivered else 0
    return value if _is_count(value) else 0


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_COUNT
