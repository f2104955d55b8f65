"""XQueue's services read and write what is agreed with AMQP graders, whose package is held to the same vectors."""

from datetime import datetime
from typing import Any

import pytest

from broker_setup.errors import BadMessageError
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_QUEUE, paused_queue, submissions_queue
from broker_setup.wire.calls import answer_to, call_origin_of
from broker_setup.wire.properties import MAX_MESSAGE_BYTES, MAX_RETURN_BYTES
from broker_setup.wire.results import decode_result
from broker_setup.wire.submissions import Submission, decode_submission, decode_work, encode_submission
from tests.support.deliveries import delivery
from tests.support.vectors import AMQP, amqp_cases, properties_of, what


def received(case: dict[str, Any]) -> Any:
    return delivery(consumer_tag="tag", delivery_tag=1, **properties_of(case))


def origin_in(case: dict[str, Any]) -> Any:
    message = received(case)
    return call_origin_of(message.headers, message.reply_to, message.correlation_id)


def test_names_and_limits_are_those_of_the_topology() -> None:
    assert AMQP["names"] == {
        "submissions_queue": submissions_queue("matlab"),
        "paused_queue": paused_queue("matlab"),
        "results_exchange": RESULTS_EXCHANGE,
        "results_key": RESULTS_QUEUE,
    }
    assert AMQP["limits"] == {"reply_bytes": MAX_MESSAGE_BYTES, "return_bytes": MAX_RETURN_BYTES}


def test_a_submission_is_published_as_it_is_agreed() -> None:
    published = AMQP["published"]
    at = datetime.fromisoformat(published["submitted_at"])
    message = encode_submission(Submission(**published["submission"], submitted_at=at))
    agreed = properties_of(published)
    assert {name: getattr(message, name) for name in agreed} == agreed
    assert message.timestamp == at


@pytest.mark.parametrize("case", amqp_cases("submissions"), ids=what)
def test_a_submission_is_read_as_it_is_agreed_and_so_is_the_reply(case: dict[str, Any]) -> None:
    assert origin_in(case) is None
    sent = decode_submission(received(case), "matlab")
    assert case["read"] == {
        "body": sent.body,
        "files": sent.files,
        "id": sent.submission_id,
        "queue": sent.queue,
        "attempt": sent.attempt,
        "uuid": sent.uuid,
    }
    reply = {name: value for name, value in case["reply"].items() if name != "routing_key"}
    result = decode_result(delivery(body=b"{}", consumer_tag="tag", delivery_tag=1, **reply), ours=False)
    assert (result.submission, result.sealed_return, result.body) == (sent.uuid, sent.sealed_return, b"{}")


@pytest.mark.parametrize("case", amqp_cases("calls"), ids=what)
def test_a_call_is_answered_as_it_is_agreed(case: dict[str, Any]) -> None:
    origin = origin_in(case)
    answer = answer_to(origin, b"{}")
    assert decode_work(received(case).body) == (case["read"]["body"], case["read"]["files"])
    assert (origin.reply_to, answer.correlation_id) == (
        case["reply"]["routing_key"],
        case["reply"].get("correlation_id"),
    )


@pytest.mark.parametrize("case", amqp_cases("refused"), ids=what)
def test_what_is_no_submission_is_refused_as_it_is_agreed(case: dict[str, Any]) -> None:
    with pytest.raises(BadMessageError) as refused:
        decode_submission(received(case), "matlab")
    assert str(refused.value).startswith(case["why"])


@pytest.mark.parametrize("case", amqp_cases("neither"), ids=what)
def test_nobody_waits_for_an_answer_at_a_queue_of_ours(case: dict[str, Any]) -> None:
    assert origin_in(case) is None
    with pytest.raises(BadMessageError):
        decode_submission(received(case), "matlab")
