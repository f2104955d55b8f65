"""get_submissions/ and put_results/ on a real gateway and broker."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from broker_setup.topology import submissions_queue
from tests.integration.gateway.conftest import LEASE_SECONDS
from tests.support.broker_side import BrokerSide
from tests.support.gateway import PATIENCE_SECONDS, Client, Gateway, lms_header, seconds_taken, wait_until
from tests.support.more_calls import BulkClient, id_and_key
from tests.support.raw_http import connection

pytestmark = pytest.mark.usefixtures("empty")

AUTH = {"Authorization": "Basic Z3JhZGVyOnRoZSBncmFkZXIncyBwYXNzd29yZA=="}
# A call is answered early if no delivery comes for 50 ms, which happens on a busy machine, but not each time. What
# follows then may have been given back in between, so that only the first call is sure to be in order.
MOST_CALLS = 10
WRONG_KEY = (1, "Incorrect key for submission")


@pytest.fixture
def bulk(gateway: Gateway) -> Iterator[BulkClient]:
    with BulkClient(gateway.url) as client:
        yield client


def submit(lms: Client, count: int) -> list[str]:
    works = [f"work {number}" for number in range(count)]
    for number, work in enumerate(works):
        # URLs of their own, or the later would supersede the earlier.
        assert lms.submit(lms_header(f"http://127.0.0.1:1/{number}"), work)[0] == 0
    return works


def bodies(taken: list[dict[str, Any]]) -> list[str]:
    return [submission["xqueue_body"] for submission in taken]


def take_many(bulk: BulkClient, count: int, *, limit: int | None = None) -> list[dict[str, Any]]:
    """Take `count` that are there, in one call or, where their deliveries were slow to come, in a few."""
    taken: list[dict[str, Any]] = []
    calls = 0
    while len(taken) < count:
        more = bulk.get_many(limit=limit or count - len(taken), wait=PATIENCE_SECONDS)
        assert more, f"{len(taken)} of {count} came, and then none"
        taken += more
        calls += 1
    assert calls <= MOST_CALLS, f"{count} came in {calls} calls"
    return taken


def settle(bulk: BulkClient, taken: list[dict[str, Any]]) -> None:
    answers = bulk.put_many((submission["xqueue_header"], "reply") for submission in taken)
    assert answers == [(0, "")] * len(taken)


@pytest.fixture
def quiet(empty: None, beside: BrokerSide) -> None:
    """Begin with no consumer: one that idles takes what is submitted, and may give it back just as a poll comes."""
    wait_until(lambda: beside.consumers(submissions_queue("openedx")) == 0, PATIENCE_SECONDS, "the consumer stays")


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("before", [0, 1, 3], ids="after {} single polls".format)
def test_twenty_of_fifty_come_together_and_in_order(lms: Client, bulk: BulkClient, before: int) -> None:
    works = submit(lms, 50 + before)
    taken = [bulk.take_one() for _ in range(before)]
    taken += bulk.get_many(limit=20, wait=PATIENCE_SECONDS)
    assert before < len(taken) <= before + 20
    assert bodies(taken) == works[: len(taken)]
    taken += take_many(bulk, before + 20 - len(taken))
    bulk.wait_queuelen(30)
    taken += take_many(bulk, 30, limit=100)
    assert sorted(bodies(taken)) == sorted(works)
    assert len({id_and_key(submission) for submission in taken}) == 50 + before
    settle(bulk, taken)


@pytest.mark.usefixtures("quiet")
def test_a_hundred_come_together(lms: Client, bulk: BulkClient) -> None:
    works = submit(lms, 101)
    taken = bulk.get_many(limit=100, wait=PATIENCE_SECONDS)
    assert bodies(taken) == works[: min(len(taken), 100)]
    taken += take_many(bulk, 101 - len(taken))
    assert sorted(bodies(taken)) == sorted(works)
    settle(bulk, taken[:100])
    settle(bulk, taken[100:])


def test_large_submissions_come_too_in_one_call_or_in_several(lms: Client, bulk: BulkClient) -> None:
    for number in range(8):
        assert lms.submit(lms_header(f"http://127.0.0.1:1/{number}"), f"{number}" + "x" * 3_000_000)[0] == 0
    taken: list[str] = []
    while len(taken) < 8:
        more = bulk.get_many(limit=100, wait=PATIENCE_SECONDS)
        assert more, f"{len(taken)} came, and then none"
        came = [submission["xqueue_body"][0] for submission in more]
        # Between two calls of a slow machine some have gone back to the broker, and those come after others.
        assert taken or came == list("01234567")[: len(came)]
        taken += came
        settle(bulk, more)
    assert sorted(taken) == list("01234567")


def test_the_strings_are_those_of_get_submission_and_the_end_of_the_lease_comes_with_them(
    lms: Client, bulk: BulkClient
) -> None:
    form = {"xqueue_header": lms_header(), "xqueue_body": "work 🐍\r\n"}
    assert lms.call("POST", "submit/", data=form, files={"a b.py": b"content"}) == (0, "1")
    asked_at = time.time()
    taken = bulk.take_one()
    assert taken["xqueue_body"] == "work 🐍\r\n"
    assert set(json.loads(taken["xqueue_header"])) == {"submission_id", "submission_key"}
    assert list(json.loads(taken["xqueue_files"])) == ["a b.py"]
    assert asked_at + LEASE_SECONDS <= taken["expires_at"] <= time.time() + LEASE_SECONDS
    assert bulk.put(taken["xqueue_header"], "reply") == (0, "")


def test_an_empty_queue_answers_with_an_empty_list_at_once_or_after_the_wait(bulk: BulkClient) -> None:
    def poll() -> None:
        assert bulk.get_many(limit=5) == []

    assert seconds_taken(poll, below=1) < 1
    start = time.monotonic()
    assert bulk.get_many(limit=5, wait=1) == []
    assert time.monotonic() - start >= 1


def test_a_poll_waits_for_the_first_and_not_for_the_rest(gateway: Gateway, lms: Client, bulk: BulkClient) -> None:
    with connection(gateway.url) as raw:
        raw.request("GET", "/xqueue/get_submissions/?queue_name=openedx&limit=20&wait=30", headers=AUTH)
        assert raw.is_silent_for(0.5)
        start = time.monotonic()
        submit(lms, 1)
        code, taken = raw.answer().envelope
        assert time.monotonic() - start < PATIENCE_SECONDS, "it waited for the rest"
    assert code == 0
    assert bodies(taken) == ["work 0"]
    settle(bulk, taken)


def test_two_graders_share_a_queue_without_a_submission_in_common(
    gateway: Gateway, lms: Client, bulk: BulkClient
) -> None:
    works = submit(lms, 40)
    target = "/xqueue/get_submissions/?queue_name=openedx&limit=20&wait=15"
    with connection(gateway.url) as one, connection(gateway.url) as another:
        one.request("GET", target, headers=AUTH)
        another.request("GET", target, headers=AUTH)
        taken = one.answer().envelope[1] + another.answer().envelope[1]
    while len(taken) < len(works):
        taken += bulk.get_many(limit=40, wait=PATIENCE_SECONDS)
    assert sorted(bodies(taken)) == sorted(works)
    settle(bulk, taken)


def test_a_grader_that_hangs_up_while_it_waits_leaves_nothing_leased(
    gateway: Gateway, lms: Client, bulk: BulkClient
) -> None:
    with connection(gateway.url) as raw:
        raw.request("GET", "/xqueue/get_submissions/?queue_name=openedx&limit=20&wait=30", headers=AUTH)
        assert raw.is_silent_for(0.5)
    works = submit(lms, 20)
    # What is leased to nobody would come when the lease runs out, which is far too late.
    taken = take_many(bulk, 20)
    assert sorted(bodies(taken)) == sorted(works)
    settle(bulk, taken)


def test_each_result_has_its_own_answer_in_order(lms: Client, bulk: BulkClient, beside: BrokerSide) -> None:
    submit(lms, 3)
    first, second, third = (submission["xqueue_header"] for submission in take_many(bulk, 3))
    submission_id = json.loads(second)["submission_id"]
    wrong = json.dumps({"submission_id": submission_id, "submission_key": "0" * 32})
    unknown = json.dumps({"submission_id": 1, "submission_key": "0" * 32})
    assert bulk.put(first, "first") == (0, "")
    assert bulk.put_many(
        [
            (first, "first"),  # again
            (wrong, "stolen"),
            (second, "second"),
            ("no header", "malformed"),
            (unknown, "lost"),
            (third, "third"),
        ]
    ) == [
        (0, ""),
        WRONG_KEY,
        (0, ""),
        (1, "Incorrect reply format"),
        (1, "Submission does not exist"),
        (0, ""),
    ]
    assert sorted(came.body for came in beside.take_all()) == [b"first", b"second", b"third"]
    assert bulk.get_many(limit=100) == []


def test_results_travel_byte_for_byte(lms: Client, bulk: BulkClient, beside: BrokerSide) -> None:
    replies = ["", "🐍 é\r\n\t\x00\u2028", '{"correct": true, "score": 1, "msg": "<p>ä</p>"}', "x" * 100_000]
    submit(lms, len(replies))
    headers = [submission["xqueue_header"] for submission in take_many(bulk, len(replies))]
    assert bulk.put_many(zip(headers, replies, strict=True)) == [(0, "")] * len(replies)
    assert sorted(came.body for came in beside.take_all()) == sorted(reply.encode() for reply in replies)


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({}, "'get_submissions' must provide parameter 'queue_name'"),
        ({"queue_name": "none"}, "Queue 'none' not found"),
        ({"queue_name": "openedx", "limit": "0"}, "'limit' must be a whole number from 1 to 100"),
        ({"queue_name": "openedx", "wait": "soon"}, "'wait' must be a number of seconds"),
    ],
)
def test_a_poll_that_asks_for_what_there_is_not_is_told_what_is_wrong(
    bulk: BulkClient, parameters: dict[str, str], why: str
) -> None:
    assert bulk.call("GET", "get_submissions/", params=parameters) == (1, why)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "The body is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"{}", "The body must be a JSON object with a list 'results'"),
        (b'{"results": [' + b"{}," * 100 + b"{}]}", "'results' has 101 entries, of at most 100"),
        (b"x" * (16 * 1024 * 1024 + 1), "Reply is too large: more than 16777216 bytes"),
    ],
    ids=["nothing", "no list", "too many", "too much"],
)
def test_results_in_an_ill_formed_body_are_told_what_is_wrong(bulk: BulkClient, body: bytes, why: str) -> None:
    assert bulk.call("POST", "put_results/", data=body) == (1, why)


def test_put_results_wants_a_post(bulk: BulkClient) -> None:
    assert bulk.call("GET", "put_results/") == (1, "'put_results' must use HTTP POST")
