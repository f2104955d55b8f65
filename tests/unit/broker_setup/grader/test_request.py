"""What is a submission, what is a call, and what is neither."""

import json
from typing import Any

import pytest

from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BadMessageError
from broker_setup.grader import Options
from broker_setup.grader.errors import UnreadableBodyError
from broker_setup.grader.request import Submission, read_request, tolerated_returns
from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_QUEUE
from broker_setup.wire.properties import ATTEMPT_HEADER, RETURN_HEADER, SUBMISSION_ID_HEADER
from broker_setup.wire.submissions import Submission as Sent
from broker_setup.wire.submissions import encode_submission
from tests.support.grading import delivered

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


def test_what_never_failed_may_come_back_often_and_what_fails_again_and_again_once() -> None:
    assert [tolerated_returns(attempt, 20) for attempt in range(1, 8)] == [20, 10, 5, 2, 1, 1, 1]
    assert [tolerated_returns(attempt, 1) for attempt in range(1, 8)] == [1] * 7
    assert tolerated_returns(0, 20) == 20
    assert tolerated_returns(2**32, 20) == 1


def test_so_many_deaths_of_graders_are_enough_to_park_a_submission() -> None:
    attempts = range(1, Settings().max_attempts + 1)
    assert sum(tolerated_returns(attempt, Options().returns) for attempt in attempts) == 53


def submission(body: str) -> Submission:
    return Submission(body, {}, 1, "openedx", 1, UUID)


def test_the_parts_of_a_code_problems_body_are_at_hand() -> None:
    found = submission(json.dumps({"student_response": "print(1)", "grader_payload": "{}"}))
    assert (found.student_response, found.grader_payload) == ("print(1)", "{}")


@pytest.mark.parametrize(
    "body", ["", "no JSON", "[]", "{}", '{"student_response": 7}', "[" * 100_000], ids=lambda text: text[:20]
)
def test_a_body_of_another_kind_has_no_such_parts(body: str) -> None:
    with pytest.raises(UnreadableBodyError) as caught:
        _ = submission(body).student_response
    assert str(caught.value) == "xqueue_body is not JSON with a text 'student_response'"
    assert isinstance(caught.value, ValueError)  # as it always was: a function may catch that
