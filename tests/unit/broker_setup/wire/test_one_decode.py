"""A service and the graders' library read the same of a delivery, and refuse the same."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from broker_setup.errors import BadMessageError
from broker_setup.topology import RESULTS_QUEUE
from broker_setup.wire.properties import (
    ATTEMPT_HEADER,
    DELIVERY_COUNT_HEADER,
    MAX_MESSAGE_BYTES,
    MAX_RETURN_BYTES,
    REDRIVEN_HEADER,
    RETURN_HEADER,
    SUBMISSION_ID_HEADER,
    returns_of,
)
from broker_setup.wire.submissions import decode_submission, encode_submission
from tests.support.grading import BODY, delivered
from xqueue_grader.common.amqp.messages import Arrival
from xqueue_grader.common.errors import BadMessageError as BadForGradersError
from xqueue_grader.transports.over_amqp.contract import read_request
from xqueue_grader.transports.over_amqp.contract import returns_of as returns_for_graders

UUID = "0123456789abcdef" * 2


def arrived(headers: dict[str, Any], body: bytes = BODY) -> Arrival:
    headers = {RETURN_HEADER: "sealed"} | headers
    return delivered(body, correlation_id=UUID, reply_to=RESULTS_QUEUE, headers=headers, timestamp=THEN)


THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LARGE = json.dumps({"xqueue_body": "\u4e2d" * (MAX_MESSAGE_BYTES * 2 // 5)}, ensure_ascii=False).encode("utf-16")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {ATTEMPT_HEADER: 3, REDRIVEN_HEADER: 1},
        {RETURN_HEADER: b"sealed"},
        {SUBMISSION_ID_HEADER: 7},
        {SUBMISSION_ID_HEADER: "seven"},
        {SUBMISSION_ID_HEADER: -1},
    ],
    ids=repr,
)
def test_what_one_takes_the_other_takes_alike(headers: dict[str, Any]) -> None:
    message = arrived(headers)
    sent, request = decode_submission(message, "openedx"), read_request(message, "openedx")
    seen = request.submission
    assert (seen.body, seen.files, seen.queue, seen.attempt) == (sent.body, sent.files, sent.queue, sent.attempt)
    # The id is the uuid's, whatever a header says: so ledger, log and pull graders have it.
    assert (seen.uuid, seen.id) == (sent.uuid, sent.submission_id)
    assert request.answer(b"").headers == {RETURN_HEADER: sent.sealed_return} == {RETURN_HEADER: "sealed"}
    assert sent.submitted_at == THEN


@pytest.mark.parametrize(
    "message",
    [
        arrived({RETURN_HEADER: 7}),
        arrived({RETURN_HEADER: None}),
        arrived({RETURN_HEADER: "s" * (MAX_RETURN_BYTES + 1)}),
        arrived({ATTEMPT_HEADER: "3"}),
        arrived({ATTEMPT_HEADER: 2**63}),
    ],
    ids=[
        "return 7",
        "no return",
        "large return",
        "attempt 3 as text",
        "attempt 2^63",
    ],
)
def test_what_one_refuses_the_other_refuses_alike(message: Arrival) -> None:
    with pytest.raises(BadMessageError) as by_service:
        decode_submission(message, "openedx")
    with pytest.raises(BadForGradersError) as by_library:
        read_request(message, "openedx")
    assert str(by_library.value) == str(by_service.value)


@pytest.mark.parametrize("message", [arrived({REDRIVEN_HEADER: -1}), arrived({}, LARGE)], ids=["redriven", "large"])
def test_what_concerns_whoever_publishes_it_again_is_no_business_of_a_grader(message: Arrival) -> None:
    with pytest.raises(BadMessageError):
        decode_submission(message, "openedx")
    assert read_request(message, "openedx").submission.uuid == UUID


def test_what_is_published_again_reads_the_same() -> None:
    message = arrived({ATTEMPT_HEADER: 3})
    again = encode_submission(decode_submission(message, "openedx"))
    assert read_request(replace(message, body=again.body, headers=dict(again.headers)), "openedx") == read_request(
        message, "openedx"
    )


@pytest.mark.parametrize(
    ("count", "returns"), [(7, 7), (0, 0), ("7", 0), (None, 0), (-1, 0), (True, 0), (1.5, 0)], ids=repr
)
def test_a_count_of_returns_that_is_none_is_no_fault_of_the_submission(count: object, returns: int) -> None:
    # RabbitMQ writes it, and no publisher; so nothing that is wrong with it says anything of the submission.
    message = replace(arrived({DELIVERY_COUNT_HEADER: count}), redelivered=True)
    assert returns_of(message) == returns_for_graders(message) == returns


def test_at_the_first_delivery_the_count_is_what_a_publisher_wrote() -> None:
    message = arrived({DELIVERY_COUNT_HEADER: 7})
    assert returns_of(message) == returns_for_graders(message) == 0
