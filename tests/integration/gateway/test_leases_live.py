"""Leases and holds on a real broker: expiry, late results, order, rotation, giving back, parking and healing."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import SUBMISSIONS_PARKED, submissions_queue, topology
from tests.integration.gateway.conftest import LEASE_SECONDS
from tests.support.broker import VHost
from tests.support.broker_side import BrokerSide
from tests.support.gateway import (
    ANSWER_SECONDS,
    PATIENCE_SECONDS,
    RETRY_DELAYS,
    Client,
    Gateway,
    lms_header,
    wait_until,
)

pytestmark = pytest.mark.usefixtures("empty")

DELAY_SECONDS = 2.0
# A delivery that nobody asks for goes back after one second, and an idle consumer ends after 5.
GIVEN_BACK_SECONDS = 4.0
WRONG_KEY = (1, "Incorrect key for submission")


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """Leases of openedx are short; those of `other` do not run out, however slow the machine."""
    return {
        "XQUEUE_SUBMISSION_PROCESSING_DELAY": str(DELAY_SECONDS / 60),
        "XQUEUE_QUEUE_OPTIONS": json.dumps({"other": {"processing_delay": LEASE_SECONDS / 60}}),
        "XQUEUE_UPLOAD_URL_EXPIRE": "1",
    }


class TidyClient(Client):
    """Hands in something for whatever it took, in the end: a lease that ran out would disturb the next test."""

    def __init__(self, url: str) -> None:
        super().__init__(url, "grader")
        self.taken: list[str] = []

    def get(self, queue: str = "openedx", **parameters: Any) -> dict[str, Any] | None:
        taken = super().get(queue, **parameters)
        if taken:
            self.taken.append(taken["xqueue_header"])
        return taken


@pytest.fixture
def grader(gateway: Gateway) -> Iterator[Client]:
    with TidyClient(gateway.url) as client:
        yield client
        for header in client.taken:
            client.put(header, "tidied up")


def take_again(grader: Client) -> dict[str, Any]:
    """Poll until the submission whose lease runs out is handed out again; not before its time."""
    start = time.monotonic()
    again = grader.get_one()
    assert time.monotonic() - start > DELAY_SECONDS - 0.5
    return again


def header_of(taken: dict[str, Any]) -> dict[str, Any]:
    header: dict[str, Any] = json.loads(taken["xqueue_header"])
    return header


def bodies(grader: Client, count: int, queue: str) -> list[str]:
    return [grader.get_one(queue)["xqueue_body"] for _ in range(count)]


def test_a_lease_that_runs_out_is_handed_out_again_with_the_same_id_and_another_key(
    lms: Client, grader: Client, beside: BrokerSide
) -> None:
    assert lms.submit(lms_header(), "work") == (0, "1")
    first = grader.get_one()
    second = take_again(grader)
    assert header_of(first)["submission_id"] == header_of(second)["submission_id"]
    assert header_of(first)["submission_key"] != header_of(second)["submission_key"]
    assert first["xqueue_body"] == second["xqueue_body"]
    # The late result of the first grader: somebody else has the submission now.
    assert grader.put(first["xqueue_header"], "late") == WRONG_KEY
    assert grader.put(second["xqueue_header"], "in time") == (0, "")
    assert grader.put(first["xqueue_header"], "later still") == WRONG_KEY
    assert [came.body for came in beside.take_all()] == [b"in time"]


def test_a_late_result_is_taken_when_nobody_else_took_the_submission_and_then_nobody_gets_it(
    lms: Client, grader: Client, beside: BrokerSide
) -> None:
    assert lms.submit(lms_header(), "work") == (0, "1")
    taken = grader.get_one()
    beside.wait_ready(submissions_queue("openedx"), 1, within=DELAY_SECONDS + 10)
    assert grader.put(taken["xqueue_header"], "late but good") == (0, "")
    assert [came.body for came in beside.take_all()] == [b"late but good"]
    assert grader.get(wait=1) is None
    assert grader.put(taken["xqueue_header"], "late but good") == (0, "")
    assert beside.take_all() == []
    assert grader.queuelen() == 0


def test_a_settled_submission_leaves_its_queue_for_good(lms: Client, grader: Client, beside: BrokerSide) -> None:
    assert lms.submit(lms_header(), "work") == (0, "1")
    assert grader.put(grader.get_one()["xqueue_header"], "reply") == (0, "")
    time.sleep(DELAY_SECONDS + 0.5)  # its lease would have run out
    assert grader.get() is None
    assert beside.ready(submissions_queue("openedx")) == 0


def test_a_file_link_says_so_when_it_has_expired(lms: Client, grader: Client) -> None:
    fields = {"xqueue_header": lms_header(), "xqueue_body": "work"}
    assert lms.call("POST", "submit/", data=fields, files={"a.py": b"content"}) == (0, "1")
    link = grader.get_one()["xqueue_files"]["a.py"]
    with requests.Session() as session:
        wait_until(
            lambda: session.get(link, timeout=60).status_code == 410, PATIENCE_SECONDS, "the link did not expire"
        )
        expired = session.get(link, timeout=60)
    assert expired.headers["content-type"] == "text/html; charset=utf-8"
    assert expired.json() == {"return_code": 1, "content": "this link has expired"}


def test_fifty_leases_do_not_starve_the_next_poll(lms: Client, grader: Client) -> None:
    for number in range(51):
        assert lms.submit(lms_header(queue="other"), f"work {number}")[0] == 0
    assert bodies(grader, 51, "other") == [f"work {number}" for number in range(51)]


def test_submissions_come_in_their_order_also_after_deliveries_were_given_back(lms: Client, grader: Client) -> None:
    for number in range(12):
        assert lms.submit(lms_header(queue="other"), str(number))[0] == 0
    assert bodies(grader, 4, "other") == ["0", "1", "2", "3"]
    time.sleep(1.5)  # what this gateway keeps in its buffer is stale after a second and goes back
    assert bodies(grader, 3, "other") == ["4", "5", "6"]
    assert bodies(grader, 5, "other") == ["7", "8", "9", "10", "11"]


def test_what_nobody_here_asks_for_is_ready_in_the_broker_again_soon(
    lms: Client, grader: Client, beside: BrokerSide
) -> None:
    for number in range(12):
        assert lms.submit(lms_header(queue="other"), str(number))[0] == 0
    for taken in [grader.get_one("other") for _ in range(4)]:
        assert grader.put(taken["xqueue_header"], "reply") == (0, "")
    beside.wait_ready(submissions_queue("other"), 8, within=GIVEN_BACK_SECONDS)
    assert grader.queuelen("other") == 8


def test_a_submission_that_comes_while_the_consumer_idles_goes_to_whoever_asks(
    lms: Client, grader: Client, beside: BrokerSide
) -> None:
    assert grader.get() is None  # a consumer is there now
    assert lms.submit(lms_header(), "work") == (0, "1")
    beside.wait_ready(submissions_queue("openedx"), 1, within=GIVEN_BACK_SECONDS)
    assert grader.get_one()["xqueue_body"] == "work"


@pytest.mark.parametrize("body", [b"no JSON", b"", b'{"xqueue_body": 7}', b"\xff" * 1000])
def test_a_message_that_is_no_submission_is_parked_and_those_behind_it_flow(
    lms: Client, grader: Client, beside: BrokerSide, body: bytes
) -> None:
    beside.publish_submission("openedx", body, headers={"mine": "x"})
    assert lms.submit(lms_header(), "work")[0] == 0
    assert grader.get_one()["xqueue_body"] == "work"

    def is_parked() -> bool:
        # It may have gone back with a consumer that nobody needed any more, and is looked at when somebody asks again.
        grader.get()
        return beside.ready(SUBMISSIONS_PARKED) == 1

    wait_until(is_parked, PATIENCE_SECONDS, "it was not parked")
    parked = beside.take(SUBMISSIONS_PARKED)
    assert parked
    assert parked.body == body
    assert parked.headers["mine"] == "x"


def test_a_queue_that_is_deleted_is_named_and_heals_when_it_is_declared_again(
    gateway: Gateway, module_vhost: VHost, lms: Client, grader: Client, beside: BrokerSide
) -> None:
    assert grader.get("other") is None  # so that a consumer runs
    beside.delete("other")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while grader.raw("GET", "get_submission/", params={"queue_name": "other"}).status_code != 503:
        assert time.monotonic() < deadline, "polls of a deleted queue are not refused"
    for method, call in (("GET", "get_submission/"), ("GET", "get_queuelen/"), ("POST", "submit/")):
        start = time.monotonic()
        form = {"xqueue_header": lms_header(queue="other"), "xqueue_body": "work"} if method == "POST" else None
        answer = lms.raw(method, call, params={"queue_name": "other"}, data=form)
        assert answer.status_code == 503, call
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.json()["return_code"] == 1
        assert time.monotonic() - start < ANSWER_SECONDS, call
    with requests.Session() as session:
        ready = session.get(f"{gateway.url}/readyz", timeout=60)
    assert ready.status_code == 503
    assert any(submissions_queue("other") in problem for problem in ready.json()["problems"])
    # The other queue is not disturbed.
    assert lms.submit(lms_header(), "elsewhere") == (0, "1")
    assert grader.get_one()["xqueue_body"] == "elsewhere"

    declare(module_vhost.amqp_url, topology(gateway.queues, RETRY_DELAYS))
    with requests.Session() as session:
        url = f"{gateway.url}/readyz"
        wait_until(lambda: session.get(url, timeout=60).status_code == 200, PATIENCE_SECONDS, "it is not ready")
    assert lms.submit(lms_header(queue="other"), "work") == (0, "1")
    wait_until(lambda: _polled(grader, "other") == "work", PATIENCE_SECONDS, "the queue did not heal")


def _polled(grader: Client, queue: str) -> str | None:
    answer = grader.raw("GET", "get_submission/", params={"queue_name": queue})
    if answer.status_code == 503:
        return None
    content = answer.json()
    return json.loads(content["content"])["xqueue_body"] if content["return_code"] == 0 else None
