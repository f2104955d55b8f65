"""What a grader finds in its queue, submissions and calls alike, and the message that answers it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aio_pika import Message

from broker_setup.errors import BadMessageError, in_brief
from broker_setup.grader.errors import UnreadableBodyError
from broker_setup.link.arrivals import Arrival
from broker_setup.topology import RESULTS_QUEUE
from broker_setup.wire.calls import CallOrigin, answer_to, call_origin_of
from broker_setup.wire.properties import (
    ATTEMPT_HEADER,
    DELIVERY_COUNT_HEADER,
    RETURN_HEADER,
    SUBMISSION_ID_HEADER,
    is_uuid,
)
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.submissions import decode_work


@dataclass(frozen=True, slots=True)
class Submission:
    """What is to be graded.

    `body` is the student's work as the LMS sent it, `files` maps a file's name, which is a student's text and no path,
    to the URL where it is fetched. `id` is the number that people and logs know it by (0 where a caller gave none),
    `uuid` the name that it has everywhere. `attempt` counts from 1: how often its grading was tried.
    """

    body: str
    files: Mapping[str, str]
    id: int
    queue: str
    attempt: int
    uuid: str

    @property
    def student_response(self) -> str:
        """What the student typed; raise UnreadableBodyError where the body is not a code problem's."""
        return self._field("student_response")

    @property
    def grader_payload(self) -> str:
        """What the problem's author wrote for the grader, often JSON; raise UnreadableBodyError as above."""
        return self._field("grader_payload")

    def _field(self, name: str) -> str:
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            content = None
        value = content.get(name) if isinstance(content, dict) else None
        if not isinstance(value, str):
            raise UnreadableBodyError(f"xqueue_body is not JSON with a text {name!r}")
        return value


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
        if self.sealed_return is not None:
            return encode_result(Result(self.submission.uuid, reply, self.sealed_return))
        return answer_to(CallOrigin(self.reply_to, self.correlation_id), reply)


def read_request(message: Arrival, queue: str) -> Request:
    """Read a delivery from the course queue `queue`; raise BadMessageError where it can be neither."""
    body, files = decode_work(message.body)
    headers, name, reply_to = message.headers, message.correlation_id, message.reply_to
    sealed = headers.get(RETURN_HEADER)
    caller = call_origin_of(headers, reply_to, name)
    if sealed is None and caller is None:
        raise BadMessageError(f"it has neither {RETURN_HEADER} nor a reply_to at which a caller waits", message.body)
    if sealed is not None and not (isinstance(sealed, str) and is_uuid(name)):
        raise BadMessageError(
            f"its correlation_id {in_brief(name)} is no uuid, or its {RETURN_HEADER} no text", message.body
        )
    submission = Submission(
        body=body,
        files=files,
        id=_count(headers, SUBMISSION_ID_HEADER, 0),
        queue=queue,
        attempt=_count(headers, ATTEMPT_HEADER, 1),
        uuid=name or "",
    )
    return Request(submission, reply_to or RESULTS_QUEUE, name, sealed)


def returns_of(message: Arrival) -> int:
    """Say how often a delivery has come back to its queue."""
    if not message.redelivered:
        return 0  # the broker writes no count yet, and what stands there is somebody else's
    return _count(message.headers, DELIVERY_COUNT_HEADER, 0)


def tolerated_returns(attempt: int, returns: int) -> int:
    """Say after how many returns a submission is not graded in its `attempt`th attempt, if `returns` in its first.

    Half as many after each attempt that failed, one at the least: gateways and graders that stop give back what is not
    at fault, and the broker counts that like a death (up to 4.2), so what never failed has room for it.
    """
    return max(1, returns >> max(0, attempt - 1))


def _count(headers: Mapping[str, Any], name: str, default: int) -> int:
    value = headers.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise BadMessageError(f"the header {name} is not a count: {in_brief(value)}", b"")
    return value
