"""The two dialects over HTTP: the original's to the byte, and that of edx-submissions for who asks for it."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.broker_side import BrokerSide
from tests.support.gateway import PATIENCE_SECONDS, USERS, Client, Gateway, lms_header
from tests.support.raw_http import connection

pytestmark = pytest.mark.usefixtures("empty")

REPLY = json.dumps({"correct": True, "score": 1, "msg": "<p>Good job!</p>"})
JSON = {"Accept": "application/json"}
EMPTY = "Queue 'openedx' is empty"
BASIC = "Basic Z3JhZGVyOnRoZSBncmFkZXIncyBwYXNzd29yZA=="
FORM = "application/x-www-form-urlencoded"
# What no client of the original knows, and what is never the same.
BESIDE = {"x-xqueue-reason", "date"}


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    accounts = USERS | {"moved": "a password", "stays": "a password"}
    dialects = {"moved": "edx-submissions", "stays": "legacy", "movde": "edx-submissions"}
    return {"XQUEUE_USERS": json.dumps(accounts), "XQUEUE_DIALECTS": json.dumps(dialects)}


class Mover(Client):
    """A grader that was written for the LMS's own queue: it goes by statuses and application/json."""

    def asked(self, method: str, call: str, **options: Any) -> tuple[int, int, Any]:
        """Make a call; return HTTP status, return_code and content."""
        answer = self.raw(method, call, headers=JSON, **options)
        assert answer.headers["content-type"] == "application/json"
        envelope = answer.json()
        assert set(envelope) == {"return_code", "content"}
        return answer.status_code, envelope["return_code"], envelope["content"]

    def take(self) -> dict[str, Any]:
        parameters = {"queue_name": "openedx", "wait": str(PATIENCE_SECONDS)}
        status, code, content = self.asked("GET", "get_submission/", params=parameters)
        assert (status, code) == (200, 0)
        taken: dict[str, Any] = json.loads(content)
        return taken

    def hand_in(self, header: str, body: str = REPLY) -> tuple[int, int, Any]:
        return self.asked("POST", "put_result/", data={"xqueue_header": header, "xqueue_body": body})


@pytest.fixture
def mover(gateway: Gateway) -> Iterator[Mover]:
    with Mover(gateway.url, basic=False) as client:
        yield client


@pytest.fixture
def member(mover: Mover) -> Mover:
    form = {"username": "grader", "password": USERS["grader"]}
    assert mover.asked("POST", "login/", data=form) == (200, 0, "Logged in")
    return mover


def test_a_grader_of_the_lms_s_own_queue_logs_in_grades_and_logs_out(
    mover: Mover, lms: Client, beside: BrokerSide
) -> None:
    assert mover.asked("GET", "login/") == (200, 1, "login_required")
    proof = {"X-CSRFToken": mover.session.cookies["csrftoken"], "Referer": mover.url}
    mover.session.headers.update(proof)
    form = {"username": "grader", "password": USERS["grader"]}
    assert mover.asked("POST", "login/", data=form) == (200, 0, "Logged in")
    assert mover.asked("GET", "get_submission/", params={"queue_name": "openedx"}) == (200, 1, EMPTY)
    assert lms.submit(lms_header(), "work") == (0, "1")
    taken = mover.take()
    assert taken["xqueue_body"] == "work"
    assert mover.hand_in(taken["xqueue_header"]) == (200, 0, "")
    assert [came.body for came in beside.take_all()] == [REPLY.encode()]
    assert mover.asked("POST", "logout/") == (200, 0, "Goodbye")
    assert mover.asked("GET", "get_submission/", params={"queue_name": "openedx"}) == (401, 1, "login_required")


def test_what_it_sends_may_be_json_as_well_as_a_form(mover: Mover, lms: Client, beside: BrokerSide) -> None:
    assert mover.asked("POST", "login/", json={"username": "grader"}) == (400, 1, "Insufficient login info")
    login = {"username": "grader", "password": USERS["grader"]}
    assert mover.asked("POST", "login/", json=login) == (200, 0, "Logged in")
    assert lms.submit(lms_header(), "work") == (0, "1")
    result = {"xqueue_header": mover.take()["xqueue_header"], "xqueue_body": REPLY}
    assert mover.asked("POST", "put_result/", json=result) == (200, 0, "")
    assert [came.body for came in beside.take_all()] == [REPLY.encode()]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_status_is_ok_by_get_and_by_post(mover: Mover, method: str) -> None:
    assert mover.asked(method, "status/") == (200, 0, "OK")


def test_a_login_that_fails_has_a_status_that_says_so(mover: Mover) -> None:
    assert mover.asked("POST", "login/", data={"username": "grader"}) == (400, 1, "Insufficient login info")
    form = {"username": "grader", "password": "wrong"}
    assert mover.asked("POST", "login/", data=form) == (401, 1, "Incorrect login credentials")


def test_what_is_asked_for_wrongly_has_a_status_that_says_so(member: Mover) -> None:
    without = "'get_submission' must provide parameter 'queue_name'"
    assert member.asked("GET", "get_submission/") == (400, 1, without)
    elsewhere = {"queue_name": "elsewhere"}
    assert member.asked("GET", "get_submission/", params=elsewhere) == (404, 1, "Queue 'elsewhere' not found")
    assert member.asked("GET", "get_queuelen/", params=elsewhere)[:2] == (404, 1)
    refused = member.raw("GET", "put_result/", headers=JSON)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST")
    assert member.asked("GET", "nowhere/") == (404, 1, "Not found")


def test_a_result_that_is_not_taken_has_a_status_that_says_why(member: Mover, lms: Client) -> None:
    assert lms.submit(lms_header(), "work") == (0, "1")
    header = json.loads(member.take()["xqueue_header"])
    whole = json.dumps(header)
    assert member.hand_in("no header") == (400, 1, "Incorrect reply format")
    assert member.hand_in(json.dumps(header | {"submission_key": "0" * 32})) == (403, 1, "Incorrect key for submission")
    unknown = json.dumps({"submission_id": 7, "submission_key": "x"})
    assert member.hand_in(unknown) == (404, 1, "Submission does not exist")
    assert member.hand_in(whole) == (200, 0, "")
    release = {"xqueue_header": whole}
    assert member.asked("POST", "release_submission/", data=release) == (403, 1, "Incorrect key for submission")


def test_an_account_of_the_settings_needs_no_accept_header(gateway: Gateway, stranger: Client) -> None:
    parameters = {"queue_name": "elsewhere"}
    moved = stranger.raw("GET", "get_submission/", params=parameters, auth=("moved", "a password"))
    assert (moved.status_code, moved.headers["content-type"]) == (404, "application/json")
    stays = stranger.raw("GET", "get_submission/", params=parameters, auth=("stays", "a password"), headers=JSON)
    assert (stays.status_code, stays.headers["content-type"]) == (200, "text/html; charset=utf-8")
    login = stranger.raw("POST", "login/", data={"username": "moved", "password": "a password"})
    assert login.headers["content-type"] == "application/json"
    assert stranger.raw("GET", "put_result/").status_code == 405
    assert "DIALECTS names 'movde', of no account in USERS" in gateway.log


def test_submit_and_the_calls_beside_the_frozen_ones_speak_it_too(member: Mover) -> None:
    form = {"xqueue_header": lms_header(), "xqueue_body": "work"}
    assert member.asked("POST", "submit/", data=form) == (200, 0, "1")
    assert member.asked("POST", "submit/", data={}) == (400, 1, "Queue request has invalid format")
    assert member.asked("GET", "get_submissions/", params={"queue_name": "openedx", "limit": "0"})[0] == 400
    assert member.asked("POST", "put_results/", data=b"{}")[0] == 400


ENVELOPE = '{"return_code": %d, "content": %s}'
ORIGINAL = [
    ("GET", "login/", "", 200, ENVELOPE % (1, '"login_required"')),
    ("POST", "login/", "username=grader", 200, ENVELOPE % (1, '"Insufficient login info"')),
    ("POST", "login/", "username=grader&password=wrong", 200, ENVELOPE % (1, '"Incorrect login credentials"')),
    ("GET", "status/", "", 200, ENVELOPE % (0, '"OK"')),
    ("GET", "submit/", "", 200, ENVELOPE % (1, '"Queue requests should use HTTP POST"')),
    ("POST", "submit/", "xqueue_body=work", 200, ENVELOPE % (1, '"Queue request has invalid format"')),
    ("GET", "get_queuelen/?queue_name=openedx", "", 200, ENVELOPE % (0, "0")),
    ("GET", "get_queuelen/?queue_name=x", "", 200, ENVELOPE % (1, '"Valid queue names are: openedx, other"')),
    ("GET", "get_submission/", "", 200, ENVELOPE % (1, "\"'get_submission' must provide parameter 'queue_name'\"")),
    ("GET", "get_submission/?queue_name=x", "", 200, ENVELOPE % (1, "\"Queue 'x' not found\"")),
    ("GET", "get_submission/?queue_name=openedx", "", 200, ENVELOPE % (1, f'"{EMPTY}"')),
    ("GET", "put_result/", "", 200, ENVELOPE % (1, "\"'put_result' must use HTTP POST\"")),
    ("POST", "put_result/", "xqueue_body=x", 200, ENVELOPE % (1, '"Incorrect reply format"')),
    (
        "POST",
        "put_result/",
        "xqueue_body=x&xqueue_header=%7B%22submission_id%22%3A7%2C%22submission_key%22%3A%22k%22%7D",
        200,
        ENVELOPE % (1, '"Submission does not exist"'),
    ),
]


@pytest.mark.parametrize("accept", [None, "*/*", "application/json, text/plain, */*", "text/html"])
def test_to_everybody_else_the_original_s_answers_are_what_they_were_to_the_byte(
    gateway: Gateway, accept: str | None
) -> None:
    headers = {"Authorization": BASIC, "Content-Type": FORM} | ({"Accept": accept} if accept else {})
    with connection(gateway.url) as plain:
        for method, call, body, status, content in ORIGINAL:
            plain.request(method, f"/xqueue/{call}", headers=headers, body=body.encode())
            answer = plain.answer()
            assert (answer.status, answer.body) == (status, content.encode()), call
            plain_headers = {name: value for name, value in answer.headers.items() if name not in BESIDE}
            assert plain_headers == {
                "content-type": "text/html; charset=utf-8",
                "content-length": str(len(content)),
                # For browsers; no client of the original looks at them.
                "x-content-type-options": "nosniff",
                "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
                "cache-control": "no-store",
            }, call


@pytest.mark.parametrize("accept", ["*/*", "text/html"])
def test_to_everybody_else_the_original_s_redirect_is_what_it_was_to_the_byte(gateway: Gateway, accept: str) -> None:
    with connection(gateway.url) as plain:
        plain.request("GET", "/xqueue/get_submission/?queue_name=a%20b", headers={"Accept": accept})
        answer = plain.answer()
        assert (answer.status, answer.body) == (302, b"")
        assert set(answer.headers) - BESIDE == {"content-length", "location"}
        assert answer.headers["location"] == "/xqueue/login/?next=/xqueue/get_submission/%3Fqueue_name%3Da%2520b"
