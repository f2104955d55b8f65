"""A grader reads and writes what is agreed with XQueue, whose services are held to the same vectors."""

import dataclasses
from typing import Any, cast

import pytest

from tests.support.vectors import AMQP, amqp_cases, properties_of, what
from xqueue_grader.common.amqp.messages import Arrival
from xqueue_grader.common.errors import BadMessageError, MessageTooLargeError
from xqueue_grader.transports.over_amqp import contract
from xqueue_grader.transports.over_amqp.contract import read_request, returns_of

[*_, ANY] = amqp_cases("submissions")


def received(case: dict[str, Any], **more: Any) -> Arrival:
    properties = properties_of(case) | more
    return Arrival(channel=cast("Any", None), consumer_tag="tag", delivery_tag=1, **properties)


def test_names_and_limits_are_agreed() -> None:
    assert AMQP["names"] == {
        "submissions_queue": contract.submissions_queue("matlab"),
        "paused_queue": contract.paused_queue("matlab"),
        "results_exchange": contract.RESULTS_EXCHANGE,
        "results_key": contract.RESULTS_KEY,
    }
    assert AMQP["limits"] == {"reply_bytes": contract.MAX_REPLY_BYTES, "return_bytes": contract.MAX_RETURN_BYTES}


def test_what_a_gateway_publishes_is_read() -> None:
    published, sent = AMQP["published"], AMQP["published"]["submission"]
    request = read_request(received(published), "matlab")
    read = dataclasses.asdict(request.submission)
    assert {name: read[name] for name in sent if name in read} == {name: sent[name] for name in sent if name in read}
    assert request.sealed_return == sent["sealed_return"]


@pytest.mark.parametrize("case", amqp_cases("submissions", "calls"), ids=what)
def test_what_is_to_be_graded_is_read_and_answered_as_it_is_agreed(case: dict[str, Any]) -> None:
    request = read_request(received(case), "matlab")
    assert dataclasses.asdict(request.submission) == case["read"]
    assert request.is_call == (case in amqp_cases("calls"))
    answer, agreed = request.answer(b"{}"), case["reply"]
    assert request.reply_to == agreed["routing_key"]
    assert (answer.correlation_id, answer.headers) == (agreed.get("correlation_id"), agreed["headers"])
    assert (answer.body, answer.delivery_mode) == (b"{}", 2)


@pytest.mark.parametrize("case", amqp_cases("refused"), ids=what)
def test_what_is_no_submission_is_refused_with_the_reason(case: dict[str, Any]) -> None:
    with pytest.raises(BadMessageError) as refused:
        read_request(received(case), "matlab")
    assert str(refused.value).startswith(case["why"])


@pytest.mark.parametrize("case", amqp_cases("neither"), ids=what)
def test_nobody_waits_for_an_answer_at_a_queue_of_xqueues_own(case: dict[str, Any]) -> None:
    with pytest.raises(BadMessageError, match="neither xqueue-return nor a reply_to at which a caller waits"):
        read_request(received(case), "matlab")


@pytest.mark.parametrize("body", [b"\xff", b"[" * 100_000, b'{"xqueue_body": "\xff"}'], ids=["byte", "deep", "latin"])
def test_whatever_came_it_is_refused_and_raises_nothing_else(body: bytes) -> None:
    with pytest.raises(BadMessageError):
        read_request(received(ANY, body=body), "matlab")


def test_a_body_may_be_in_another_unicode() -> None:
    body = '{"xqueue_body": "\u4e2d"}'.encode("utf-16")
    assert read_request(received(ANY, body=body), "matlab").submission.body == "\u4e2d"


def test_a_return_address_may_come_in_bytes_and_none_is_larger_than_fits_again() -> None:
    assert read_request(received(ANY, headers={"xqueue-return": b"sealed"}), "matlab").sealed_return == "sealed"
    with pytest.raises(BadMessageError, match="has more than the 114688 bytes that fit a message"):
        read_request(received(ANY, headers={"xqueue-return": "s" * (contract.MAX_RETURN_BYTES + 1)}), "matlab")


def test_no_reply_is_made_that_no_broker_takes() -> None:
    with pytest.raises(MessageTooLargeError, match="15728641 bytes are more than the 15728640 that fit a message"):
        read_request(received(ANY), "matlab").answer(b" " * (contract.MAX_REPLY_BYTES + 1))


def test_each_publish_has_a_message_of_its_own() -> None:
    request = read_request(received(ANY), "matlab")
    assert request.answer(b"").message_id != request.answer(b"").message_id


@pytest.mark.parametrize(
    ("count", "returns"), [(7, 7), (0, 0), ("7", 0), (None, 0), (-1, 0), (True, 0), (1.5, 0)], ids=repr
)
def test_a_count_of_returns_is_the_brokers_and_one_that_is_none_is_no_fault_of_the_submission(
    count: object, returns: int
) -> None:
    headers = {"xqueue-return": "sealed", contract.DELIVERY_COUNT_HEADER: count}
    assert returns_of(received(ANY, headers=headers, redelivered=True)) == returns
    assert returns_of(received(ANY, headers=headers)) == 0, "at the first delivery it is what a publisher wrote"
