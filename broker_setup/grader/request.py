"""What a grader finds in its queue, submissions and calls alike, and the message that answers it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.errors import BadMessageError
from broker_setup.grader.errors import UnreadableBodyError
from broker_setup.topology import RESULTS_QUEUE
from broker_setup.wire.calls import CallOrigin, answer_to, call_origin_of
from broker_setup.wire.properties import ATTEMPT_HEADER, RETURN_HEADER, SUBMISSION_ID_HEADER, count_in
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.submissions import decode_submission, decode_work


@dataclass(frozen=True, slots=True)
class Submission:
    """What a grading function sees of a submission, or of a call.

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
    if origin := call_origin_of(message.headers, message.reply_to, message.correlation_id):
        return Request(_asked(message, queue), origin.reply_to, origin.correlation_id, None)
    if RETURN_HEADER not in message.headers:
        raise BadMessageError(f"it has neither {RETURN_HEADER} nor a reply_to at which a caller waits", message.body)
    sent = decode_submission(message, queue)
    seen = Submission(sent.body, sent.files, sent.submission_id, queue, sent.attempt, sent.uuid)
    return Request(seen, message.reply_to or RESULTS_QUEUE, sent.uuid, sent.sealed_return)


def _asked(message: Arrival, queue: str) -> Submission:
    """Read what a call brings: its caller gives it names and counts, or none."""
    body, files = decode_work(message.body)
    return Submission(
        body=body,
        files=files,
        id=count_in(message, SUBMISSION_ID_HEADER),
        queue=queue,
        attempt=count_in(message, ATTEMPT_HEADER, default=1),
        uuid=message.correlation_id or "",
    )


def tolerated_returns(attempt: int, returns: int) -> int:
    """Say after how many returns a submission is not graded in its `attempt`th attempt, if `returns` in its first.

    Half as many after each attempt that failed, one at the least: gateways and graders that stop give back what is not
    at fault, and the broker counts that like a death (up to 4.2), so what never failed has room for it.
    """
    return max(1, returns >> max(0, attempt - 1))
