"""A submission that is read can be published again, and what comes back too often is the broker's count."""

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
    returns_of,
)
from broker_setup.wire.submissions import decode_submission, encode_submission
from tests.support.grading import BODY, delivered
from xqueue_grader.common.amqp.messages import Arrival
from xqueue_grader.transports.over_amqp.contract import read_request

UUID = "0123456789abcdef" * 2
THEN = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LARGE = json.dumps({"xqueue_body": "\u4e2d" * (MAX_MESSAGE_BYTES * 2 // 5)}, ensure_ascii=False).encode("utf-16")


def arrived(headers: dict[str, Any], body: bytes = BODY) -> Arrival:
    headers = {RETURN_HEADER: "sealed"} | headers
    return delivered(body, correlation_id=UUID, reply_to=RESULTS_QUEUE, headers=headers, timestamp=THEN)


def test_what_is_published_again_reads_the_same_to_services_and_graders() -> None:
    message = arrived({ATTEMPT_HEADER: 3, REDRIVEN_HEADER: 1})
    sent = decode_submission(message, "openedx")
    assert sent.submitted_at == THEN
    again = encode_submission(sent)
    delivered_again = replace(message, body=again.body, headers=dict(again.headers))
    assert decode_submission(delivered_again, "openedx") == sent
    assert read_request(delivered_again, "openedx") == read_request(message, "openedx")


@pytest.mark.parametrize("message", [arrived({REDRIVEN_HEADER: -1}), arrived({}, LARGE)], ids=["redriven", "large"])
def test_what_concerns_whoever_publishes_it_again_is_no_business_of_a_grader(message: Arrival) -> None:
    with pytest.raises(BadMessageError):
        decode_submission(message, "openedx")
    assert read_request(message, "openedx").submission.uuid == UUID


def test_a_return_address_may_come_in_bytes_and_none_is_larger_than_fits_again() -> None:
    assert decode_submission(arrived({RETURN_HEADER: b"sealed"}), "openedx").sealed_return == "sealed"
    with pytest.raises(BadMessageError, match="has more than the 114688 bytes that fit a message"):
        decode_submission(arrived({RETURN_HEADER: "s" * (MAX_RETURN_BYTES + 1)}), "openedx")


@pytest.mark.parametrize(
    ("count", "returns"), [(7, 7), (0, 0), ("7", 0), (None, 0), (-1, 0), (True, 0), (1.5, 0)], ids=repr
)
def test_a_count_of_returns_that_is_none_is_no_fault_of_the_submission(count: object, returns: int) -> None:
    # RabbitMQ writes it, and no publisher; so nothing that is wrong with it says anything of the submission.
    assert returns_of(replace(arrived({DELIVERY_COUNT_HEADER: count}), redelivered=True)) == returns


def test_at_the_first_delivery_the_count_is_what_a_publisher_wrote() -> None:
    assert returns_of(arrived({DELIVERY_COUNT_HEADER: 7})) == 0
