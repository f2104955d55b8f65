"""A newer submission with the same callback URL takes the place of an older one that still waits, and only then."""

import json
import time
from typing import Any

import pytest

from broker_setup.ledger.events import AnyEvent, Submitted, hash_url
from broker_setup.operator.read_ledger import read_ledger
from broker_setup.topology import submissions_queue
from tests.support.broker import VHost
from tests.support.broker_side import BrokerSide
from tests.support.gateway import RETRY_DELAYS, Client, lms_header, wait_until
from tests.support.ledger import pika_channel
from tests.support.operator import Operator

pytestmark = pytest.mark.usefixtures("empty")

MIN_AGE_SECONDS = 1.0
TRIES = 10
URL = "https://lms.example/courses/course-v1:x+y+z/xqueue/7/block@problem/score_update"


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    return {
        "XQUEUE_SUPERSEDE_MIN_AGE": str(MIN_AGE_SECONDS),
        "XQUEUE_QUEUE_OPTIONS": json.dumps({"other": {"supersede": False}}),
    }


@pytest.fixture
def url(request: pytest.FixtureRequest) -> str:
    """A callback URL of this test's own; the original told them apart by their first 128 characters only."""
    return f"{URL}?{'x' * 200}&test={request.node.name}"


def submit(lms: Client, url: str, body: str, queue: str = "openedx") -> None:
    assert lms.submit(lms_header(url, key=body, queue=queue), body)[0] == 0


def reply_to(body: str) -> str:
    return json.dumps({"correct": True, "score": 1, "msg": body})


def grow_old() -> None:
    """Let what was submitted become old enough to be superseded."""
    time.sleep(MIN_AGE_SECONDS + 0.1)


def wait_until_read(lms: Client, grader: Client, vhost: VHost) -> None:
    """Return when the gateway has read in the ledger of every submission that was handed in so far."""
    url = f"{URL}?read={time.monotonic()}"
    submit(lms, url, "to read", queue="other")
    events: list[AnyEvent] = []

    def is_written() -> bool:
        read_ledger(vhost.amqp_url, lambda frame: events.extend(frame.events))
        return any(isinstance(event, Submitted) and event.url == hash_url(url) for event in events)

    wait_until(is_written, 60, "the ledger does not hear of a submit")
    # A lease is answered when it has been read back, and so all that stands before it.
    taken = grader.get("other", wait=5)
    assert taken
    assert grader.put(taken["xqueue_header"], reply_to("read")) == (0, "")


def counted(vhost: VHost) -> int:
    """What `xqueue-broker count` says of the queue."""
    told = {"SUPERSEDE_MIN_AGE": str(MIN_AGE_SECONDS), "RETRY_DELAYS": json.dumps(RETRY_DELAYS)}
    told |= {"NOTICE_GRACE": "0"}  # as the gateway's settings have it
    openedx, *_ = Operator(vhost.amqp_url).json("count", XQUEUES='{"openedx": null}', **told)["queues"]
    return int(openedx["waiting"])


def bodies(taken: list[dict[str, Any]]) -> list[str]:
    return [each["xqueue_body"] for each in taken]


def test_two_answers_that_come_together_are_both_graded(lms: Client, grader: Client) -> None:
    for number in range(TRIES):
        start = time.monotonic()
        submit(lms, f"{URL}?together={number}", "first")
        submit(lms, f"{URL}?together={number}", "second")
        if time.monotonic() - start < MIN_AGE_SECONDS:
            grader.wait_queuelen(2)
            assert bodies(grader.get_all(2)) == ["first", "second"]
            return
        # They came together for us, but not for a machine as slow as this.
        while grader.get(wait=1):
            pass
    pytest.fail("too slow to say anything")


def test_a_resubmission_takes_the_place_of_what_waits_and_the_older_one_does_not_count(
    lms: Client, grader: Client, beside: BrokerSide, url: str
) -> None:
    submit(lms, url, "older")
    submit(lms, f"{url}0", "of somebody else")
    grow_old()
    submit(lms, url, "newer")
    grader.wait_queuelen(2)  # what was superseded does not count
    assert bodies(grader.get_all(2)) == ["of somebody else", "newer"]
    # It left the broker's queue too, and is not subtracted for ever.
    beside.wait_ready(submissions_queue("openedx"), 0)
    grader.wait_queuelen(0)
    submit(lms, f"{url}1", "next")
    grader.wait_queuelen(1)


def test_what_an_amqp_grader_holds_hides_nothing_that_waits(
    lms: Client, grader: Client, beside: BrokerSide, module_vhost: VHost, url: str
) -> None:
    course = submissions_queue("openedx")
    submit(lms, url, "older")
    beside.wait_ready(course, 1)
    with pika_channel(module_vhost.amqp_url) as amqp_grader:
        assert amqp_grader.basic_get(course)[2] is not None
        grow_old()
        submit(lms, url, "newer")
        wait_until_read(lms, grader, module_vhost)
        assert grader.queuelen() == 1
        assert counted(module_vhost) == 1
        submit(lms, f"{url}0", "of somebody else")
        wait_until_read(lms, grader, module_vhost)
        assert grader.queuelen() == 2
        assert counted(module_vhost) == 2
    # It died: the older one is ready again, and superseded.
    beside.wait_ready(course, 3)
    assert grader.queuelen() == 2
    assert counted(module_vhost) == 2
    assert bodies(grader.get_all(2)) == ["newer", "of somebody else"]
    grader.wait_queuelen(0)


def test_one_whose_reply_nobody_can_read_hides_nothing_that_waits(
    lms: Client, grader: Client, beside: BrokerSide, module_vhost: VHost, url: str
) -> None:
    submit(lms, url, "older")
    grow_old()
    submit(lms, url, "newer")
    wait_until_read(lms, grader, module_vhost)
    assert grader.queuelen() == 1
    # As an AMQP grader acks whose reply has no return address: the ledger hears no more of it.
    taken = beside.take(submissions_queue("openedx"))
    assert taken
    assert json.loads(taken.body)["xqueue_body"] == "older"
    assert grader.queuelen() == 1
    assert counted(module_vhost) == 1
    assert bodies(grader.get_all(1)) == ["newer"]


def submit_ten(client: Client, url: str, what: str) -> None:
    for number in range(10):
        submit(client, f"{url}{number}", f"{what} {number}")


def test_of_many_resubmissions_the_last_one_is_graded(
    lms: Client, grader: Client, module_vhost: VHost, url: str
) -> None:
    submit_ten(lms, url, "old")
    grow_old()
    submit_ten(lms, url, "new")
    wait_until_read(lms, grader, module_vhost)
    grader.wait_queuelen(10)
    assert bodies(grader.get_all(10)) == [f"new {number}" for number in range(10)]


def test_an_account_that_guesses_anothers_callback_urls_takes_nobodys_place(
    lms: Client, grader: Client, module_vhost: VHost, url: str
) -> None:
    submit_ten(lms, url, "old")
    grow_old()
    submit_ten(grader, url, "junk")
    wait_until_read(lms, grader, module_vhost)
    grader.wait_queuelen(20)
    assert bodies(grader.get_all(20))[:10] == [f"old {number}" for number in range(10)]


def test_a_queue_may_keep_them_all(lms: Client, grader: Client, url: str) -> None:
    submit(lms, url, "older", queue="other")
    grow_old()
    submit(lms, url, "newer", queue="other")
    assert bodies(grader.get_all(2, "other")) == ["older", "newer"]


def test_what_is_being_graded_is_graded(lms: Client, grader: Client, beside: BrokerSide, url: str) -> None:
    submit(lms, url, "older")
    older = grader.get_one()
    grow_old()
    submit(lms, url, "newer")
    [newer] = grader.get_all(1)
    assert newer["xqueue_body"] == "newer"
    for taken in (older, newer):
        assert grader.put(taken["xqueue_header"], reply_to(taken["xqueue_body"])) == (0, "")
    assert [came.body.decode() for came in beside.take_all()] == [reply_to("older"), reply_to("newer")]


def test_what_was_graded_is_not_in_the_way_of_a_new_try(lms: Client, grader: Client, url: str) -> None:
    for body in ("first try", "second try"):
        submit(lms, url, body)
        taken = grader.get_one()
        assert taken["xqueue_body"] == body
        assert grader.put(taken["xqueue_header"], reply_to(body)) == (0, "")
        grow_old()
