"""extend_lease/ and release_submission/ on a real gateway and broker, and what the settings say of one queue."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from broker_setup.topology import submissions_queue
from tests.support.broker_side import BrokerSide
from tests.support.gateway import Client, Gateway, lms_header
from tests.support.more_calls import BulkClient, id_and_key

pytestmark = pytest.mark.usefixtures("empty")

DELAY_SECONDS = 3.0
CAP_SECONDS = 10.0
LONG_SECONDS = 9.0  # much longer than the delay, and within the cap also for who asks late
OTHER_SECONDS = 90.0
WRONG_KEY = (1, "Incorrect key for submission")
# A lease that is due is seen within a quarter of a second; the rest is for a busy machine.
SLACK_SECONDS = 10.0


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {
        "XQUEUE_SUBMISSION_PROCESSING_DELAY": str(DELAY_SECONDS / 60),
        "XQUEUE_MAX_PROCESSING_DELAY": str(CAP_SECONDS / 60),
        "XQUEUE_QUEUE_OPTIONS": json.dumps(
            {"other": {"processing_delay": OTHER_SECONDS / 60, "max_processing_delay": 2 * OTHER_SECONDS / 60}}
        ),
    }


@pytest.fixture
def bulk(gateway: Gateway) -> Iterator[BulkClient]:
    with BulkClient(gateway.url) as client:
        yield client


@pytest.fixture
def taken(lms: Client, bulk: BulkClient) -> dict[str, Any]:
    """A submission of openedx that was leased just now."""
    assert lms.submit(lms_header(), "work")[0] == 0
    return bulk.take_one()


def comes_again(bulk: BulkClient, taken: dict[str, Any], *, at: float) -> dict[str, Any]:
    """Poll until the same submission is handed out under another key: not before `at` (seconds since the epoch)."""
    again = bulk.take_one(wait=at - time.time() + SLACK_SECONDS)
    now = time.time()
    assert at - 0.01 <= now <= at + SLACK_SECONDS, now - at
    assert id_and_key(again)[0] == id_and_key(taken)[0]
    assert id_and_key(again)[1] != id_and_key(taken)[1]
    assert again["xqueue_body"] == taken["xqueue_body"]
    return again


def test_an_extended_lease_outlives_its_delay_and_nobody_else_gets_the_submission(
    taken: dict[str, Any], bulk: BulkClient, beside: BrokerSide
) -> None:
    asked_at = time.time()
    code, expires_at = bulk.extend(taken["xqueue_header"], LONG_SECONDS)
    assert code == 0
    assert asked_at + LONG_SECONDS <= expires_at <= time.time() + LONG_SECONDS
    assert bulk.get_many(wait=DELAY_SECONDS + 1) == []
    assert time.time() > taken["expires_at"] + 0.5
    assert bulk.put(taken["xqueue_header"], "slow but good") == (0, "")
    assert [came.body for came in beside.take_all()] == [b"slow but good"]


def test_a_lease_can_not_be_extended_beyond_the_cap_and_ends_there(taken: dict[str, Any], bulk: BulkClient) -> None:
    cap = taken["expires_at"] - DELAY_SECONDS + CAP_SECONDS
    code, expires_at = bulk.extend(taken["xqueue_header"], 3600)
    assert (code, expires_at) == (0, pytest.approx(cap, abs=0.5))  # it runs from when it was read back
    assert bulk.extend(taken["xqueue_header"], 3600) == (0, pytest.approx(expires_at, abs=0.5))
    again = comes_again(bulk, taken, at=cap)
    assert bulk.extend(taken["xqueue_header"], 3600) == WRONG_KEY
    assert bulk.put(again["xqueue_header"], "reply") == (0, "")


def test_an_extension_never_shortens_a_lease(taken: dict[str, Any], bulk: BulkClient) -> None:
    code, expires_at = bulk.extend(taken["xqueue_header"], 0)
    assert code == 0
    assert taken["expires_at"] <= expires_at < taken["expires_at"] + 0.5
    assert bulk.put(taken["xqueue_header"], "reply") == (0, "")


def test_a_lease_that_has_run_out_is_neither_extended_nor_released(
    taken: dict[str, Any], bulk: BulkClient, beside: BrokerSide
) -> None:
    # It runs from when it was read back, which on a busy machine is later than it says: so not by the clock.
    beside.wait_ready(submissions_queue("openedx"), 1)
    assert time.time() > taken["expires_at"]
    assert bulk.extend(taken["xqueue_header"], 4) == WRONG_KEY
    assert bulk.release(taken["xqueue_header"]) == WRONG_KEY
    # Its result is still welcome, as long as nobody else has the submission.
    assert bulk.put(taken["xqueue_header"], "late") == (0, "")


def test_a_released_submission_goes_to_the_next_grader_at_once_and_the_old_key_is_worth_nothing(
    lms: Client, bulk: BulkClient, beside: BrokerSide
) -> None:
    assert lms.submit(lms_header(queue="other"), "work")[0] == 0
    taken = bulk.take_one("other")
    assert bulk.release(taken["xqueue_header"]) == (0, "")
    again = bulk.take_one("other")  # its lease would have run much longer than this waits
    assert id_and_key(again)[0] == id_and_key(taken)[0]
    assert id_and_key(again)[1] != id_and_key(taken)[1]
    assert bulk.put(taken["xqueue_header"], "too late") == WRONG_KEY
    assert bulk.extend(taken["xqueue_header"], 60) == WRONG_KEY
    assert bulk.release(taken["xqueue_header"]) == WRONG_KEY
    assert bulk.put(again["xqueue_header"], "reply") == (0, "")
    assert [came.body for came in beside.take_all()] == [b"reply"]


def test_a_submission_released_with_a_delay_comes_after_it_and_does_not_wait_until_then(
    taken: dict[str, Any], bulk: BulkClient
) -> None:
    released_at = time.time()
    assert bulk.release(taken["xqueue_header"], delay=3, failed="true") == (0, "")
    assert bulk.queuelen() == 0
    assert bulk.put(taken["xqueue_header"], "changed my mind") == WRONG_KEY
    again = comes_again(bulk, taken, at=released_at + 3)
    assert bulk.put(again["xqueue_header"], "reply") == (0, "")


def test_a_released_submission_waits_again_with_the_others(lms: Client, bulk: BulkClient) -> None:
    for number in range(3):
        assert lms.submit(lms_header(f"http://127.0.0.1:1/{number}", queue="other"), f"work {number}")[0] == 0
    first = bulk.take_one("other")
    assert bulk.release(first["xqueue_header"]) == (0, "")
    bulk.wait_queuelen(3, "other")
    taken = [bulk.take_one("other") for _ in range(3)]
    assert sorted(submission["xqueue_body"] for submission in taken) == ["work 0", "work 1", "work 2"]
    assert bulk.put_many((submission["xqueue_header"], "reply") for submission in taken) == [(0, "")] * 3


def test_a_queue_may_have_a_delay_and_a_cap_of_its_own(lms: Client, bulk: BulkClient) -> None:
    assert lms.submit(lms_header(queue="other"), "work")[0] == 0
    asked_at = time.time()
    taken = bulk.take_one("other")
    granted_at = taken["expires_at"] - OTHER_SECONDS
    assert asked_at <= granted_at <= time.time()
    code, expires_at = bulk.extend(taken["xqueue_header"], 3600)
    assert (code, expires_at) == (0, pytest.approx(granted_at + 2 * OTHER_SECONDS, abs=0.5))
    assert bulk.put(taken["xqueue_header"], "reply") == (0, "")


def test_a_submission_that_nobody_has_is_neither_extended_nor_released(bulk: BulkClient) -> None:
    header = json.dumps({"submission_id": 1, "submission_key": "0" * 32})
    assert bulk.extend(header, 60) == (1, "Submission does not exist")
    assert bulk.release(header) == (1, "Submission does not exist")


def test_a_settled_submission_is_neither_extended_nor_released(taken: dict[str, Any], bulk: BulkClient) -> None:
    assert bulk.put(taken["xqueue_header"], "reply") == (0, "")
    assert bulk.extend(taken["xqueue_header"], 60) == WRONG_KEY
    assert bulk.release(taken["xqueue_header"]) == WRONG_KEY


HEADER = json.dumps({"submission_id": 1, "submission_key": "0" * 32})
NO_HEADER = "'xqueue_header' must be the header of a submission, as it came"


@pytest.mark.parametrize(
    ("call", "fields", "why"),
    [
        ("extend_lease/", {"seconds": "60"}, NO_HEADER),
        ("extend_lease/", {"xqueue_header": HEADER}, "'seconds' must be a number of seconds"),
        ("extend_lease/", {"xqueue_header": HEADER, "seconds": "-1"}, "'seconds' must be a number of seconds"),
        ("release_submission/", {}, NO_HEADER),
        ("release_submission/", {"xqueue_header": HEADER, "delay": "soon"}, "'delay' must be a number of seconds"),
        ("release_submission/", {"xqueue_header": HEADER, "failed": "1"}, "'failed' must be true or false"),
        ("release_submission/", {"xqueue_header": "x" * 70_000}, "The form is too large: more than 65536 bytes"),
    ],
)
def test_an_ill_formed_change_is_told_what_is_wrong(bulk: BulkClient, call: str, fields: Any, why: str) -> None:
    assert bulk.call("POST", call, data=fields) == (1, why)


@pytest.mark.parametrize("call", ["extend_lease", "release_submission"])
def test_a_change_wants_a_post(bulk: BulkClient, call: str) -> None:
    assert bulk.call("GET", f"{call}/") == (1, f"'{call}' must use HTTP POST")


@pytest.mark.parametrize("call", ["get_submissions", "put_results", "extend_lease", "release_submission"])
def test_the_rules_of_login_and_of_the_last_slash_are_those_of_the_frozen_calls(
    bulk: BulkClient, stranger: Client, call: str
) -> None:
    refused = stranger.raw("POST", f"{call}/?a=b", data={"seconds": "60"})
    assert refused.status_code == 302
    assert refused.headers["location"].startswith("/xqueue/login/?next=")
    moved = bulk.raw("GET", f"{call}?a=b")
    assert (moved.status_code, moved.headers["location"]) == (301, f"/xqueue/{call}/?a=b")
    assert bulk.raw("POST", call, data={}).json() == bulk.raw("POST", f"{call}/", data={}).json()


def test_the_openapi_document_is_served_without_a_login(gateway: Gateway) -> None:
    with requests.Session() as session:
        answer = session.get(f"{gateway.url}/xqueue/openapi.json", timeout=60)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json()["openapi"].startswith("3.1")
    assert "/xqueue/get_submissions/" in answer.json()["paths"]
