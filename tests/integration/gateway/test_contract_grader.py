"""The rows of the contract about get_submission/ and put_result/, and what long polls add to them."""

import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from typing import Any

import pytest

from tests.support.broker_side import BrokerSide
from tests.support.gateway import PATIENCE_SECONDS, Client, Gateway, lms_header, seconds_taken
from tests.support.raw_http import connection

pytestmark = pytest.mark.usefixtures("empty")

INCORRECT = (1, "Incorrect reply format")
EMPTY = (1, "Queue 'openedx' is empty")


@pytest.fixture
def beginner(gateway: Gateway) -> Iterator[ThreadPoolExecutor]:
    """Runs one call beside the test's own."""
    with ThreadPoolExecutor(1) as pool:
        yield pool


@pytest.fixture
def leased(lms: Client, grader: Client) -> dict[str, Any]:
    """A submission that the grader has just taken."""
    assert lms.submit(lms_header(), "work") == (0, "1")
    return grader.get_one()


def test_get_submission_without_a_queue_is_told_so(grader: Client) -> None:
    expected = (1, "'get_submission' must provide parameter 'queue_name'")
    assert grader.call("GET", "get_submission/") == expected


@pytest.mark.parametrize("name", ["nowhere", "", "a'b", "é"])
def test_get_submission_of_an_unknown_queue_is_told_so(grader: Client, name: str) -> None:
    expected = (1, f"Queue '{name}' not found")
    assert grader.call("GET", "get_submission/", params={"queue_name": name}) == expected


def test_get_submission_of_an_empty_queue_says_so_at_once(grader: Client) -> None:
    def poll() -> None:
        assert grader.call("GET", "get_submission/", params={"queue_name": "openedx"}) == EMPTY

    assert seconds_taken(poll, below=1) < 1, "some graders have one second for everything"


def test_a_submission_is_json_strings_within_a_json_string(lms: Client, grader: Client) -> None:
    work = json.dumps({"student_response": 'print("hi")\n', "grader_payload": json.dumps({"name": "hello world"})})
    assert lms.submit(lms_header(), work) == (0, "1")
    code, content = grader.call("GET", "get_submission/", params={"queue_name": "openedx", "wait": PATIENCE_SECONDS})
    assert code == 0
    assert isinstance(content, str)
    submission = json.loads(content)
    assert {name: type(value) for name, value in submission.items()} == {
        "xqueue_header": str,
        "xqueue_body": str,
        "xqueue_files": str,
    }
    assert submission["xqueue_body"] == work
    assert submission["xqueue_files"] == "{}"
    header = json.loads(submission["xqueue_header"])
    assert set(header) == {"submission_id", "submission_key"}
    assert type(header["submission_id"]) is int
    assert 0 <= header["submission_id"] < 2**53
    assert re.fullmatch("[0-9a-f]{32}", header["submission_key"])


def test_put_result_by_anything_but_post_is_told_so(grader: Client) -> None:
    assert grader.call("GET", "put_result/") == (1, "'put_result' must use HTTP POST")


@pytest.mark.parametrize("lacking", ["xqueue_header", "xqueue_body"])
def test_a_result_that_lacks_a_field_has_an_incorrect_format(
    grader: Client, leased: dict[str, Any], lacking: str
) -> None:
    form = {"xqueue_header": leased["xqueue_header"], "xqueue_body": "reply"}
    del form[lacking]
    assert grader.call("POST", "put_result/", data=form) == INCORRECT


@pytest.mark.parametrize("header", ["", "{", "[]", "7", "null", '"x"', "{'a': 1}"])
def test_a_result_whose_header_is_no_json_object_has_an_incorrect_format(grader: Client, header: str) -> None:
    assert grader.put(header, "reply") == INCORRECT


@pytest.mark.parametrize("lacking", ["submission_id", "submission_key"])
def test_a_result_whose_header_lacks_a_part_has_an_incorrect_format(
    grader: Client, leased: dict[str, Any], lacking: str
) -> None:
    header = json.loads(leased["xqueue_header"])
    del header[lacking]
    assert grader.put(json.dumps(header), "reply") == INCORRECT


@pytest.mark.parametrize("submission_id", ["x", "", "7.5", 7.5, None, [7], {}, True])
def test_a_result_whose_id_is_no_integer_has_an_incorrect_format(
    grader: Client, leased: dict[str, Any], submission_id: object
) -> None:
    header = json.loads(leased["xqueue_header"]) | {"submission_id": submission_id}
    assert grader.put(json.dumps(header), "reply") == INCORRECT


@pytest.mark.parametrize("submission_id", [0, -1, "12", 2**53, 10**30, str(10**30)])
def test_a_result_of_an_unknown_submission_is_told_so(
    grader: Client, leased: dict[str, Any], submission_id: object
) -> None:
    header = json.loads(leased["xqueue_header"]) | {"submission_id": submission_id}
    assert grader.put(json.dumps(header), "reply") == (1, "Submission does not exist")


def test_a_result_with_a_wrong_key_is_refused_and_the_right_one_still_taken(
    grader: Client, leased: dict[str, Any], beside: BrokerSide
) -> None:
    header = json.loads(leased["xqueue_header"])
    for wrong in ("", "0" * 32, header["submission_key"].upper() + "A", "\ud800"):
        refused = grader.put(json.dumps(header | {"submission_key": wrong}), "reply")
        assert refused == (1, "Incorrect key for submission")
    assert beside.take_all() == []
    assert grader.put(leased["xqueue_header"], "reply") == (0, "")


@pytest.mark.parametrize("kind", [int, str])
def test_a_result_is_taken_with_its_id_as_a_number_or_as_a_string(
    grader: Client, leased: dict[str, Any], beside: BrokerSide, kind: type
) -> None:
    header = json.loads(leased["xqueue_header"])
    assert grader.put(json.dumps(header | {"submission_id": kind(header["submission_id"])}), "reply") == (0, "")
    assert [came.body for came in beside.take_all()] == [b"reply"]


def test_a_result_is_taken_with_the_queue_in_its_query(grader: Client, leased: dict[str, Any]) -> None:
    form = {"xqueue_header": leased["xqueue_header"], "xqueue_body": "reply"}
    assert grader.call("POST", "put_result/", params={"queue_name": "openedx"}, data=form) == (0, "")


REPLIES = ["", '{"correct": true, "score": 1, "msg": "<p>ok</p>"}', "🐍\r\n\x00\u2028", "no JSON", "x" * 1_000_000]


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: repr(reply)[:20])
@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
def test_a_reply_travels_byte_for_byte(
    grader: Client, leased: dict[str, Any], beside: BrokerSide, kind: str, reply: str
) -> None:
    fields = {"xqueue_header": leased["xqueue_header"], "xqueue_body": reply}
    sent = {"data": fields} if kind == "urlencoded" else {"files": {k: (None, v.encode()) for k, v in fields.items()}}
    assert grader.call("POST", "put_result/", **sent) == (0, "")
    assert [came.body for came in beside.take_all()] == [reply.encode()]


def test_any_account_may_hand_in_what_another_took(lms: Client, leased: dict[str, Any]) -> None:
    assert lms.put(leased["xqueue_header"], "reply") == (0, "")


def test_the_same_result_again_is_a_success_and_is_delivered_once(
    grader: Client, leased: dict[str, Any], beside: BrokerSide
) -> None:
    for _ in range(3):
        assert grader.put(leased["xqueue_header"], "reply") == (0, "")
    assert [came.body for came in beside.take_all()] == [b"reply"]


def test_the_same_result_many_times_at_once_is_delivered_once(
    gateway: Gateway, leased: dict[str, Any], beside: BrokerSide
) -> None:
    def put(_: int) -> tuple[int, Any]:
        with Client(gateway.url, "grader") as mine:
            return mine.put(leased["xqueue_header"], "reply")

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(put, range(8))) == [(0, "")] * 8
    assert [came.body for came in beside.take_all()] == [b"reply"]


def test_a_different_result_under_the_same_key_is_an_amendment(
    grader: Client, leased: dict[str, Any], beside: BrokerSide
) -> None:
    assert grader.put(leased["xqueue_header"], "first") == (0, "")
    assert grader.put(leased["xqueue_header"], "second") == (0, "")
    came = beside.take_all()
    assert [(each.body, each.headers.get("xqueue-amendment", 0)) for each in came] == [(b"first", 0), (b"second", 1)]
    assert len({each.correlation_id for each in came}) == 1


def test_wait_waits_so_long_and_ends_empty(grader: Client) -> None:
    start = monotonic()
    assert grader.get(wait=0.5) is None
    assert 0.5 <= monotonic() - start < PATIENCE_SECONDS


@pytest.mark.parametrize("wait", ["-1", "nan", "soon", ""])
def test_a_wait_that_is_no_number_of_seconds_is_told_so(grader: Client, wait: str) -> None:
    expected = (1, "'wait' must be a number of seconds")
    assert grader.call("GET", "get_submission/", params={"queue_name": "openedx", "wait": wait}) == expected


@pytest.mark.parametrize("query", [{"wait": "20"}, {"block": "true"}])
def test_a_long_poll_is_answered_as_soon_as_a_submission_arrives(
    lms: Client, grader: Client, beginner: ThreadPoolExecutor, query: dict[str, str]
) -> None:
    poll = beginner.submit(grader.get, **query)
    threading.Event().wait(0.5)  # the poll is to wait for some time first
    assert not poll.done()
    submitted = monotonic()
    assert lms.submit(lms_header(), "work")[0] == 0
    taken = poll.result(60)
    assert taken
    assert taken["xqueue_body"] == "work"
    assert monotonic() - submitted < PATIENCE_SECONDS, "it waited until it would have ended anyway"


def test_a_long_poll_whose_client_hangs_up_eats_no_submission(gateway: Gateway, lms: Client, grader: Client) -> None:
    login = cookie_of(grader)
    with connection(gateway.url) as impatient:
        impatient.request("GET", "/xqueue/get_submission/?queue_name=openedx&wait=30", headers={"Cookie": login})
        assert impatient.is_silent_for(0.5)
    assert lms.submit(lms_header(), "work")[0] == 0
    # If the poll that nobody waited for had taken it, nobody would get it before its lease runs out.
    assert grader.get_one()


def cookie_of(client: Client) -> str:
    assert client.login("grader") == (0, "Logged in")
    return f"sessionid={client.session.cookies['sessionid']}"
