"""Whom an answer is for, and what a grader that is called gets to see."""

import json

import pytest

from broker_setup.wire.messages import RETURN_HEADER
from gateway.passive.work import Caller, answer_to, caller_of, request_body
from tests.support.deliveries import delivery


def test_who_gives_a_queue_and_an_id_and_has_no_return_address_is_a_caller() -> None:
    message = delivery(reply_to="reports.replies", correlation_id="7")
    assert caller_of(message) == Caller("reports.replies", "7")


@pytest.mark.parametrize(
    "properties",
    [
        {"reply_to": "mine", "correlation_id": "7", "headers": {RETURN_HEADER: "sealed"}},
        {"reply_to": "mine", "correlation_id": None},
        {"reply_to": None, "correlation_id": "7"},
        {"reply_to": "", "correlation_id": "7"},
        {"reply_to": "xqueue.results", "correlation_id": "7"},
        {"reply_to": "xqueue.ledger", "correlation_id": "7"},
        {"reply_to": "xqueue.submissions.openedx", "correlation_id": "7"},
    ],
)
def test_a_submission_is_no_caller_and_nobody_waits_at_a_queue_of_ours(properties: dict[str, object]) -> None:
    assert caller_of(delivery(**properties)) is None


def test_files_are_json_in_a_string() -> None:
    asked = json.loads(request_body("wörk", {"a.py": "http://files.example/ä"}))
    assert asked == {"xqueue_body": "wörk", "xqueue_files": '{"a.py": "http://files.example/\\u00e4"}'}
    assert json.loads(request_body("", {}))["xqueue_files"] == "{}"


def test_each_answer_is_a_message_of_its_own() -> None:
    one, other = (answer_to(Caller("mine", "7"), b"reply") for _ in range(2))
    assert (one.body, one.correlation_id) == (b"reply", "7")
    assert one.message_id != other.message_id
