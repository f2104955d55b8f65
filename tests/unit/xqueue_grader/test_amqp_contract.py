"""What is a submission, what is a call, and what is neither."""

from typing import Any

import pytest

from broker_setup.topology import RESULTS_QUEUE
from broker_setup.wire.properties import ATTEMPT_HEADER, RETURN_HEADER, SUBMISSION_ID_HEADER
from broker_setup.wire.submissions import Submission as Sent
from broker_setup.wire.submissions import encode_submission
from tests.support.grading import delivered
from xqueue_grader import Submission
from xqueue_grader.common.amqp.messages import Arrival
from xqueue_grader.common.errors import BadMessageError
from xqueue_grader.transports.over_amqp.contract import read_request

UUID = "0123456789abcdef" * 2
SUBMISSION: dict[str, Any] = {"correlation_id": UUID, "reply_to": RESULTS_QUEUE, "headers": {RETURN_HEADER: "sealed"}}


def test_what_a_gateway_sends_is_a_submission() -> None:
    sent = Sent(UUID, "openedx", "work", "sealed", {"a": "http://a"}, attempt=3)
    message = encode_submission(sent)
    properties = {"correlation_id": UUID, "reply_to": message.reply_to, "headers": dict(message.headers)}
    request = read_request(delivered(message.body, **properties), "openedx")
    assert request.submission == Submission("work", {"a": "http://a"}, sent.submission_id, "openedx", 3, UUID)
    assert not request.is_call
    answer = request.answer(b"reply")
    assert (answer.correlation_id, answer.headers, answer.body) == (UUID, {RETURN_HEADER: "sealed"}, b"reply")


def test_without_a_return_address_it_is_a_call() -> None:
    request = read_request(delivered(reply_to="mine", correlation_id="any name"), "openedx")
    assert request.is_call
    assert (request.submission.id, request.submission.attempt) == (0, 1)
    answer = request.answer(b"reply")
    assert (answer.correlation_id, answer.headers) == ("any name", {})


def test_a_call_needs_no_name() -> None:
    assert read_request(delivered(reply_to="mine"), "openedx").answer(b"").correlation_id is None


def test_each_publish_has_a_message_of_its_own() -> None:
    request = read_request(delivered(**SUBMISSION), "openedx")
    assert request.answer(b"").message_id != request.answer(b"").message_id


@pytest.mark.parametrize(
    "message",
    [
        delivered(b"", **SUBMISSION),
        delivered(b"\xff", **SUBMISSION),
        delivered(b"[]", **SUBMISSION),
        delivered(b'{"xqueue_body": 7}', **SUBMISSION),
        delivered(b'{"xqueue_body": "", "xqueue_files": {"a": 7}}', **SUBMISSION),
        delivered(b"[" * 100_000, **SUBMISSION),
        delivered(),
        delivered(correlation_id=UUID),
        delivered(correlation_id="call", reply_to=RESULTS_QUEUE),
        delivered(correlation_id="call", reply_to="xqueue.submissions.openedx"),
        delivered(**SUBMISSION | {"correlation_id": "not a uuid"}),
        delivered(**SUBMISSION | {"correlation_id": None}),
        delivered(**SUBMISSION | {"headers": {RETURN_HEADER: 7}}),
        delivered(**SUBMISSION | {"headers": {RETURN_HEADER: "sealed", ATTEMPT_HEADER: -1}}),
        delivered(reply_to="mine", headers={SUBMISSION_ID_HEADER: "7"}),
    ],
)
def test_what_is_neither_is_an_error(message: Arrival) -> None:
    with pytest.raises(BadMessageError):
        read_request(message, "openedx")
