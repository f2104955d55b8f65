"""Replies that the LMS would drop, on a real gateway; and what a student hears whose submission nobody can read."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import pytest

from broker_setup.ledger.events import Parked, hash_url
from broker_setup.topology import CHECKED_QUEUE, SUBMISSIONS_PARKED
from broker_setup.wire.notices import failure_notice
from broker_setup.wire.return_address import ReturnAddress, Sealer
from tests.support.broker import VHost
from tests.support.broker_side import BrokerSide
from tests.support.gateway import SECRET_KEY, Client, Gateway, lms_header
from tests.support.ledger import follower

pytestmark = pytest.mark.usefixtures("empty")

SCORE = "https://lms.example/courses/course-v1:x+y+z/xqueue/7/block@problem/score_update"
GOOD = '{"correct": true, "score": 1, "msg": "Good"}'
BAD = "Traceback: the student's secrets"
DONE = (0, "")
INCORRECT = (1, "Incorrect reply format")
MESSAGE = "Sorry <about> that."


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {"XQUEUE_FAILURE_MESSAGE": MESSAGE}


def taken(lms: Client, grader: Client, number: int = 0) -> str:
    """Submit and take one; return its xqueue_header."""
    assert lms.submit(lms_header(f"{SCORE}?{number}"), "work")[0] == 0
    submission = grader.get_one()
    return str(submission["xqueue_header"])


def test_a_bad_reply_is_refused_and_a_better_one_taken_after_an_extension(
    gateway: Gateway, lms: Client, grader: Client, beside: BrokerSide
) -> None:
    header = taken(lms, grader)
    assert grader.put(header, BAD) == INCORRECT
    assert beside.ready(CHECKED_QUEUE) == 0
    code, _ = grader.call("POST", "extend_lease/", data={"xqueue_header": header, "seconds": 100})
    assert code == 0
    assert grader.get() is None, "the lease goes on"
    assert grader.put(header, GOOD) == DONE
    assert grader.put(header, BAD) == INCORRECT, "nor is it an amendment"
    [result] = beside.take_all()
    assert result.body == GOOD.encode()
    whose = f"submission {result.correlation_id}, queue openedx, grader 'grader'"
    assert f"{whose}: its reply is refused: it is not JSON" in gateway.log
    assert "secrets" not in gateway.log


def test_after_a_bad_reply_the_grader_may_give_the_submission_back(lms: Client, grader: Client) -> None:
    header = taken(lms, grader)
    assert grader.put(header, BAD) == INCORRECT
    assert grader.call("POST", "release_submission/", data={"xqueue_header": header, "failed": "true"}) == DONE
    again = grader.get_one()
    assert grader.put(again["xqueue_header"], GOOD) == DONE


def test_a_bad_reply_among_many_does_not_hurt_the_others(lms: Client, grader: Client, beside: BrokerSide) -> None:
    headers = [taken(lms, grader, number) for number in range(3)]
    results = [
        {"xqueue_header": header, "xqueue_body": reply}
        for header, reply in zip(headers, (GOOD, BAD, GOOD), strict=True)
    ]
    code, answers = grader.call("POST", "put_results/", json={"results": results})
    assert code == 0
    assert [(answer["return_code"], answer["content"]) for answer in answers] == [DONE, INCORRECT, DONE]
    assert grader.put(headers[1], GOOD) == DONE
    assert len(beside.take_all()) == 3


def test_other_urls_get_the_reply_untouched(lms: Client, grader: Client, beside: BrokerSide) -> None:
    assert lms.submit(lms_header("https://lms.example/hook"), "work")[0] == 0
    submission = grader.get_one()
    assert grader.put(submission["xqueue_header"], BAD) == DONE
    assert [result.body for result in beside.take_all()] == [BAD.encode()]


def test_switched_off_everything_is_taken(gateway: Gateway, lms: Client, beside: BrokerSide) -> None:
    settings = {"XQUEUE_VALIDATE_RESULTS": "false"}
    trusting = Gateway(gateway.amqp_url, gateway.folder, settings=settings)
    trusting.start()
    try:
        with Client(trusting.url, "grader") as grader:
            header = taken(lms, grader)
            assert grader.put(header, BAD) == DONE
    finally:
        trusting.stop()
    assert [result.body for result in beside.take_all()] == [BAD.encode()]


# Telling the student.


def unreadable(beside: BrokerSide, uuid: str, **spoilt: Any) -> None:
    sealed = Sealer([SECRET_KEY]).seal(ReturnAddress(uuid, lms_header(SCORE)))
    properties = {"correlation_id": uuid, "headers": {"xqueue-return": sealed}} | spoilt
    beside.publish_submission("openedx", b"written by hand", **properties)


async def parked_in_the_ledger(amqp_url: str, uuid: str) -> Parked:
    """Read the ledger until it says that this submission was parked."""
    async with follower(amqp_url) as reading, asyncio.timeout(60):
        await reading.catch_up()
        while True:
            for event in reading.events:
                if isinstance(event, Parked) and event.submission.hex() == uuid:
                    return event
            await asyncio.sleep(0.05)


def test_the_student_of_an_unreadable_submission_is_told_once(
    module_vhost: VHost, lms: Client, grader: Client, beside: BrokerSide
) -> None:
    uuid = uuid4().hex
    unreadable(beside, uuid)
    assert grader.get() is None
    beside.wait_ready(SUBMISSIONS_PARKED, 1)
    parked = beside.take(SUBMISSIONS_PARKED)
    assert parked
    assert parked.body == b"written by hand"
    [notice] = beside.take_all()
    assert (notice.body, notice.correlation_id) == (failure_notice(MESSAGE), uuid)
    assert json.loads(notice.body)["msg"] == '<div class="capa_alert">Sorry &lt;about&gt; that.</div>'
    address = Sealer([SECRET_KEY]).open(notice.headers["xqueue-return"], uuid)
    event = asyncio.run(parked_in_the_ledger(module_vhost.amqp_url, uuid))
    assert (event.queue, event.url) == ("openedx", hash_url(address.callback_url))
    # A lease is read back, and with it the gateway has read what stands before it.
    assert grader.put(taken(lms, grader), GOOD) == DONE
    assert len(beside.take_all()) == 1
    # Once more, as after a crash before it was let go: the ledger knows.
    unreadable(beside, uuid)
    assert grader.get() is None
    beside.wait_ready(SUBMISSIONS_PARKED, 1)
    assert beside.take(SUBMISSIONS_PARKED)
    assert beside.ready(CHECKED_QUEUE) == 0


def test_without_a_return_address_that_opens_it_is_only_parked(grader: Client, beside: BrokerSide) -> None:
    unreadable(beside, uuid4().hex, headers={"xqueue-return": "forged"})
    assert grader.get() is None
    beside.wait_ready(SUBMISSIONS_PARKED, 1)
    assert beside.take(SUBMISSIONS_PARKED)
    assert beside.ready(CHECKED_QUEUE) == 0
