"""What a parked message looks like: the delivery as it came, with why, when and from where it was put aside."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from time import time
from typing import Any, TypeGuard
from uuid import uuid4

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.topology import RESULTS_PARKED, SUBMISSIONS_EXCHANGE, SUBMISSIONS_PARKED, is_notices_queue
from broker_setup.wire.header_values import text_of, time_of
from broker_setup.wire.notices import Telling
from broker_setup.wire.properties import (
    ATTEMPT_HEADER,
    MAX_RETURN_BYTES,
    OUR_HEADERS,
    REDRIVEN_HEADER,
    RESULT_REDRIVEN_HEADER,
    RESULT_UNTOLD_HEADER,
    RETURN_HEADER,
    TRIES_HEADER,
    UNTOLD_HEADER,
    is_uuid,
    submission_id_of,
)
from broker_setup.wire.waits import WAITS_PREFIX

PARKED_PREFIX = "xqueue-parked-"
# RabbitMQ's own: to whom else a message goes. A copy goes nowhere else.
_ROUTING_HEADERS = frozenset({"CC", "BCC"})
PARKED_REASON_HEADER = f"{PARKED_PREFIX}reason"
PARKED_AT_HEADER = f"{PARKED_PREFIX}at"
PARKED_QUEUE_HEADER = f"{PARKED_PREFIX}queue"
PARKED_ORIGIN_HEADER = f"{PARKED_PREFIX}origin"
# When the student's notice goes, and in which queue it waits for that.
PARKED_TELL_AT_HEADER = f"{PARKED_PREFIX}tell-at"
PARKED_NOTICE_HEADER = f"{PARKED_PREFIX}notice"

# All of a message's properties must fit one frame of 128 KiB, or the broker closes the connection: these are its own
# headers, the largest return address and room for the rest. Beside them stand at most 6 KiB of ours, which say why,
# and 2 KiB of other properties.
MAX_HEADERS = MAX_RETURN_BYTES + 4 * 1024
# AMQP has room for 128 bytes of a header's name, though RabbitMQ takes longer ones.
MAX_NAME_BYTES = 128
_MAX_REASON = 500
_MAX_INT = 2**63 - 1  # what a header can carry
_MAX_COUNT = 1_000_000  # a stranger may have written any number


class Kind(StrEnum):
    """What was parked."""

    RESULT = "result"
    SUBMISSION = "submission"


PARKED_QUEUES: Mapping[Kind, str] = {Kind.RESULT: RESULTS_PARKED, Kind.SUBMISSION: SUBMISSIONS_PARKED}
ATTEMPT_HEADERS: Mapping[Kind, str] = {Kind.RESULT: TRIES_HEADER, Kind.SUBMISSION: ATTEMPT_HEADER}
REDRIVEN_HEADERS: Mapping[Kind, str] = {Kind.RESULT: RESULT_REDRIVEN_HEADER, Kind.SUBMISSION: REDRIVEN_HEADER}
UNTOLD_HEADERS: Mapping[Kind, str] = {Kind.RESULT: RESULT_UNTOLD_HEADER, Kind.SUBMISSION: UNTOLD_HEADER}


def parked_copy(
    message: Message | Arrival,
    reason: str,
    *,
    queue: str = "",
    origin: str = "",
    at: float | None = None,
    telling: Telling | None = None,
    without: Collection[str] = (),
) -> Message:
    """Copy `message` for a parked queue: its body byte for byte, what identifies it, and in headers why and when.

    `queue` is the course queue, `origin` the LMS as scheme://host:port, where they are known; `at` is in seconds since
    the epoch, now by default; `telling` says when its student is told, if at all. Whatever a stranger may have put into
    a message, the copy can be published; headers that are no plain value (such as RabbitMQ's own x-death) are left out,
    those of `without`, and those that don't fit.
    """
    why = {
        PARKED_REASON_HEADER: reason[:_MAX_REASON],
        PARKED_AT_HEADER: _iso(time() if at is None else at),
        PARKED_QUEUE_HEADER: queue[:_MAX_REASON],
        PARKED_ORIGIN_HEADER: origin[:_MAX_REASON],
        PARKED_TELL_AT_HEADER: _iso(telling.at) if telling else "",
        PARKED_NOTICE_HEADER: telling.queue if telling else "",
    }
    kept = {name: value for name, value in message.headers.items() if name not in without}
    headers = plain_headers(kept) | {name: value for name, value in why.items() if value}
    return fresh_copy(message, headers)


def fresh_copy(message: Message | Arrival, headers: Mapping[str, Any], reply_to: str | None = None) -> Message:
    """Copy `message` to be published once more: persistent, under an id of its own, with `headers` for its own."""
    return Message(
        message.body,
        content_type=message.content_type,
        content_encoding=message.content_encoding,
        correlation_id=message.correlation_id,
        headers=dict(headers),
        message_id=uuid4().hex,
        reply_to=reply_to,
        timestamp=message.timestamp,
        type=message.type,
    )


def plain_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of `headers` is the message's own and can be published; nothing of an earlier parking or wait."""
    kept: dict[str, Any] = {}
    room = MAX_HEADERS
    # Ours first, the return address before all: whatever else stands beside them, the copy can be redriven.
    for name in (*OUR_HEADERS, *(name for name in headers if name not in OUR_HEADERS)):
        value = headers.get(name)
        is_ours_to_write = name.startswith(("x-", PARKED_PREFIX, WAITS_PREFIX)) or name in _ROUTING_HEADERS
        if is_ours_to_write or len(name.encode()) > MAX_NAME_BYTES or not _is_plain(value):
            continue
        needed = _wire_size(name, value)
        if needed <= room:
            kept[name] = value
            room -= needed
    return kept


def _wire_size(name: str, value: str | int) -> int:
    # As AMQP writes it: a byte each for the name's length and the value's kind; 8 for a number; 4 for a text's length.
    size = 8 if isinstance(value, int) else 4 + len(value.encode())
    return 2 + len(name.encode()) + size


def _is_plain(value: object) -> TypeGuard[str | int]:
    # A text that is not UTF-8 is read as bytes, of which AMQP has no kind that we write.
    if isinstance(value, int):
        return abs(value) <= _MAX_INT
    return isinstance(value, str)


@dataclass(frozen=True)
class ParkedMessage:
    """What an operator wants to know of a parked message, its body apart; what it does not say is "" or None.

    `correlation_id` is the submission's uuid, unless it is a stranger's message; `sent_at` is when the result or the
    submission was made; `attempts` says how often it was tried, `redriven` how often an operator sent it on its way.
    Its student's notice goes at `tell_at`, and waits in `notice_queue` until then. `ours` says that XQueue wrote it, as
    whose its bookkeeping headers count.
    """

    kind: Kind
    correlation_id: str
    queue: str
    origin: str
    reason: str
    parked_at: datetime | None
    sent_at: datetime | None
    attempts: int
    redriven: int
    size: int
    tell_at: datetime | None = None
    notice_queue: str = ""
    ours: bool = True

    def is_told(self, now: datetime) -> bool:
        """Say whether the student's notice has gone out: the LMS ignores what comes after that."""
        return self.tell_at is not None and self.tell_at <= now

    @property
    def uuid(self) -> bytes | None:
        """The submission's uuid as the ledger has it, None where the message names none."""
        return bytes.fromhex(self.correlation_id) if is_uuid(self.correlation_id) else None

    @property
    def submission_id(self) -> int | None:
        """The id on the wire."""
        return None if self.uuid is None else submission_id_of(self.uuid)


def read_parked(message: Message | Arrival, kind: Kind, *, ours: bool = True) -> ParkedMessage:
    """Read a delivery of a parked queue, whatever it is; what we did not write, RabbitMQ's x-death says.

    Unless it is `ours`, what a stranger wrote as the broker moved it, its bookkeeping is passed over, whatever it says.
    """
    headers = message.headers if ours else {}
    # Its first entry is the broker's own, also beside those that a publisher made up; but its time may be his.
    death = _last_death(message.headers.get("x-death"))
    dead_in = text_of(death.get("queue"))
    dead_for = f"dead-lettered: {text_of(death.get('reason'))} from {dead_in}" if death else ""
    notice_queue = text_of(headers.get(PARKED_NOTICE_HEADER))
    course_queue = dead_in.removeprefix(f"{SUBMISSIONS_EXCHANGE}.") if dead_in.startswith(SUBMISSIONS_EXCHANGE) else ""
    return ParkedMessage(
        kind=kind,
        correlation_id=text_of(message.correlation_id),
        queue=text_of(headers.get(PARKED_QUEUE_HEADER))[:_MAX_REASON] or course_queue,
        origin=text_of(headers.get(PARKED_ORIGIN_HEADER))[:_MAX_REASON],
        reason=text_of(headers.get(PARKED_REASON_HEADER))[:_MAX_REASON] or dead_for,
        parked_at=time_of(headers.get(PARKED_AT_HEADER)) or time_of(death.get("time")),
        sent_at=time_of(message.timestamp),
        attempts=_count(headers.get(ATTEMPT_HEADERS[kind])),
        redriven=_count(headers.get(REDRIVEN_HEADERS[kind])),
        size=len(message.body),
        tell_at=time_of(headers.get(PARKED_TELL_AT_HEADER)) or _told_by_0_1_0(headers, kind),
        notice_queue=notice_queue if is_notices_queue(notice_queue) else "",
        ours=ours,
    )


def _told_by_0_1_0(headers: Mapping[str, Any], kind: Kind) -> datetime | None:
    # That told the student of each submission when it parked it, and said nothing but where it could not.
    told = kind is Kind.SUBMISSION and RETURN_HEADER in headers and UNTOLD_HEADER not in headers
    return time_of(headers.get(PARKED_AT_HEADER)) if told else None


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _last_death(deaths: object) -> Mapping[str, Any]:
    # The newest comes first.
    newest = deaths[0] if isinstance(deaths, list) and deaths else {}
    return newest if isinstance(newest, Mapping) else {}


def _count(value: object) -> int:
    return min(value, _MAX_COUNT) if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0
