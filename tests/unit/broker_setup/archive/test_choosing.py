"""What of the messages that pass by is archived: what is of archived queues, from who may answer, and nothing else."""

import json
from typing import Any

import pytest

from broker_setup.archive.choosing import Choosing
from broker_setup.archive.entries import ArchivedResult
from broker_setup.errors import BadMessageError, BadReturnAddressError
from broker_setup.wire.results import Result, Tries, encode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from tests.support.archive import reply_of, sent_work
from tests.support.deliveries import delivered, delivery
from tests.support.operator import SECRET

GRADERS = {"mallory": ("trial",), "grader": ("openedx",)}


def choosing() -> Choosing:
    return Choosing(
        Sealer([SECRET]),
        {"openedx"},
        is_ours=lambda user: user == "us",
        may_answer=lambda user, queue: None if user == "us" or queue in GRADERS.get(user or "", ()) else "no",
    )


def sent_by(user: str, **more: Any) -> Any:
    work = sent_work(1)
    message = delivered(encode_result(Result(work.uuid, reply_of(1), work.sealed_return, **more)))
    message.user_id = user
    return message


def test_a_result_is_archived_for_the_day_of_its_submit_and_with_who_sent_it() -> None:
    entry = choosing().of_result(sent_by("grader"))
    assert entry
    assert str(entry.place).endswith(".result-0")
    assert isinstance(entry.archived, ArchivedResult)
    assert entry.archived.grader == "grader"


def test_a_strangers_result_is_not_archived() -> None:
    assert choosing().of_result(sent_by("mallory")) is None
    assert choosing().of_result(sent_by("")) is None


def test_what_a_grader_writes_in_the_bookkeeping_changes_nothing() -> None:
    """Else it could have any number of results of one submission kept, or have its result be none."""
    entry = choosing().of_result(sent_by("grader", amendment=7, notice=True, tries=Tries(made=3)))
    assert entry
    assert str(entry.place).endswith(".result-0")


def test_what_comes_back_from_a_rung_was_archived_before_unless_nobody_could_open_it() -> None:
    assert choosing().of_result(sent_by("us", tries=Tries(made=1))) is None
    assert choosing().of_result(sent_by("us", tries=Tries(waits=1), sender="grader")) is not None


def test_a_programs_call_is_not_archived_and_what_is_no_submission_is_refused() -> None:
    assert choosing().of_submission(delivery(body=b"{}", reply_to="its own", routing_key="openedx")) is None
    with pytest.raises(BadMessageError):
        choosing().of_submission(delivery(body=b"{", headers={"xqueue-return": "x"}, correlation_id="ab" * 16))
    forged = json.dumps({"xqueue_body": "b"}).encode()
    with pytest.raises(BadReturnAddressError):
        choosing().of_submission(delivery(body=forged, headers={"xqueue-return": "x"}, correlation_id="ab" * 16))


def test_a_url_with_half_a_character_is_kept_as_far_as_it_can_be() -> None:
    header = '{"lms_callback_url": "http://lms/\\ud800", "lms_key": "k", "queue_name": "openedx"}'
    uuid = "ab" * 16
    message = delivery(
        body=b'{"xqueue_body": "b"}',
        headers={"xqueue-return": Sealer([SECRET]).seal(ReturnAddress(uuid, header))},
        correlation_id=uuid,
    )
    assert choosing().of_submission(message)
