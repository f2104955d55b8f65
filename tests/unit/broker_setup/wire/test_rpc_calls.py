"""What is a call and what a submission: one rule, to which tests/vectors/ holds graders, too."""

import pytest

from broker_setup.wire.calls import CallOrigin, answer_to, call_origin_of
from broker_setup.wire.properties import RETURN_HEADER

NO_CALLS = [
    ({RETURN_HEADER: "sealed"}, "mine"),
    ({}, None),
    ({}, ""),
    ({}, "xqueue.results"),
    ({}, "xqueue.ledger"),
    ({}, "xqueue.submissions.openedx"),
]


@pytest.mark.parametrize("correlation_id", ["7", "", None])
def test_who_gives_a_queue_and_has_no_return_address_is_a_caller_with_or_without_an_id(
    correlation_id: str | None,
) -> None:
    assert call_origin_of({}, "reports.replies", correlation_id) == CallOrigin("reports.replies", correlation_id)


@pytest.mark.parametrize(("headers", "reply_to"), NO_CALLS)
def test_a_submission_is_no_caller_and_nobody_waits_at_a_queue_of_ours(
    headers: dict[str, str], reply_to: str | None
) -> None:
    assert call_origin_of(headers, reply_to, "7") is None


def test_each_answer_is_a_message_of_its_own() -> None:
    one, other = (answer_to(CallOrigin("mine", "7"), b"reply") for _ in range(2))
    assert (one.body, one.correlation_id) == (b"reply", "7")
    assert one.message_id != other.message_id
