"""The sandbox as tests of graders use it, and what a client does that is none."""

import json
import socket
from typing import Any

import pytest
import requests

from xqueue_grader import reply
from xqueue_grader.sandbox import Kind, Sandbox, Trouble

REPLY = '{"correct": true, "score": 1, "msg": "x"}'


def said(answer: requests.Response) -> tuple[int, Any]:
    envelope = answer.json()
    return envelope["return_code"], envelope["content"]


class Polls:
    """A grader of the legacy API."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._base = sandbox.address
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, call: str, **query: Any) -> requests.Response:
        return self.session.get(f"{self._base}/{call}/", params=query, timeout=30, allow_redirects=False)

    def post(self, call: str, **form: Any) -> requests.Response:
        return self.session.post(f"{self._base}/{call}/", data=form, timeout=30, allow_redirects=False)

    def login(self) -> tuple[int, Any]:
        return said(self.post("login", username="grader", password="sandbox"))


def test_a_function_is_tried_in_four_lines() -> None:
    with Sandbox() as sandbox, sandbox.graded_by(lambda work: reply(correct=True, score=1, text=work.student_response)):
        assert b"Hello" in sandbox.wait(sandbox.submit("Hello")).replies[0]


def test_a_grader_that_answers_nothing_is_told_of() -> None:
    with Sandbox() as sandbox, pytest.raises(TimeoutError, match="attempts=0"):
        sandbox.wait(sandbox.submit("Hello"), 0.1)


def test_it_speaks_the_calls_of_the_original() -> None:
    with Sandbox(kind=Kind.ORIGINAL) as sandbox:
        polls = Polls(sandbox)
        assert polls.get("get_submission", queue_name="openedx").status_code == 302
        assert said(polls.get("login")) == (1, "login_required")
        assert said(polls.post("login", username="grader", password="no")) == (1, "Incorrect login credentials")
        assert polls.login() == (0, "Logged in")
        assert said(polls.get("status")) == (0, "OK")
        assert said(polls.get("get_queuelen", queue_name="no")) == (1, "Valid queue names are: openedx")
        assert said(polls.get("get_submission", queue_name="openedx")) == (1, "Queue 'openedx' is empty")
        header = json.dumps({"lms_callback_url": "http://x", "lms_key": "k", "queue_name": "openedx"})
        assert said(polls.post("submit", xqueue_header=header, xqueue_body="work")) == (0, "1")
        assert said(polls.get("get_queuelen", queue_name="openedx")) == (0, 1)
        handed = json.loads(said(polls.get("get_submission", queue_name="openedx"))[1])
        assert handed["xqueue_body"] == "work"
        assert said(polls.get("put_result")) == (1, "'put_result' must use HTTP POST")
        assert said(polls.post("put_result", xqueue_header="{}", xqueue_body=REPLY)) == (1, "Incorrect reply format")
        result = {"xqueue_header": handed["xqueue_header"], "xqueue_body": REPLY}
        assert said(polls.post("put_result", **result)) == (0, "")
        assert said(polls.post("put_result", **result)) == (1, "Incorrect key for submission")
        assert polls.get("get_submissions", queue_name="openedx").status_code == 404
        assert sandbox.look(1).replies == (REPLY.encode(),)


def test_it_has_the_statuses_and_tokens_of_edx_submissions() -> None:
    with Sandbox(kind=Kind.EDX_SUBMISSIONS) as sandbox:
        polls = Polls(sandbox)
        assert polls.get("get_submission", queue_name="openedx").status_code == 403
        assert polls.post("login", username="grader", password="sandbox").status_code == 403
        polls.get("login")
        polls.session.headers.update({"X-CSRFToken": polls.session.cookies["csrftoken"], "Referer": sandbox.address})
        assert polls.login() == (0, "Logged in")
        header = json.dumps({"submission_id": 7, "submission_key": "k"})
        assert polls.post("put_result", xqueue_header=header, xqueue_body=REPLY).status_code == 404


def test_a_reply_that_an_lms_would_not_take_is_refused_as_xqueue_does() -> None:
    with Sandbox() as sandbox:
        polls = Polls(sandbox)
        polls.login()
        sandbox.submit("work")
        [handed] = said(polls.get("get_submissions", queue_name="openedx"))[1]
        put = polls.post("put_result", xqueue_header=handed["xqueue_header"], xqueue_body="no JSON")
        assert said(put) == (1, "Incorrect reply format")
        assert sandbox.look(1).replies == ()


def test_trouble_comes_as_often_as_it_was_asked_for() -> None:
    with Sandbox() as sandbox:
        polls = Polls(sandbox)
        polls.login()
        sandbox.trouble("get_queuelen", Trouble.UNAVAILABLE)
        refused = polls.get("get_queuelen", queue_name="openedx")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert said(polls.get("get_queuelen", queue_name="openedx")) == (0, 0)


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST /xqueue/login/ HTTP/1.1\r\nHost: x\r\n\r\n", b"411"),
        (b"POST /xqueue/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST /xqueue/login/ HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"411"),
        (b"GET /xqueue/status/?" + b"a&" * 2000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
        (b"GET /etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", b"404"),
        (b"GET /xqueue/get_submission/ HTTP/1.1\r\nHost: x\r\nCookie: \xff;;=\r\n\r\n", b"302"),
    ],
)
def test_odd_requests_end_nothing(request_bytes: bytes, status: bytes) -> None:
    with Sandbox() as sandbox:
        port = int(sandbox.address.rsplit(":")[-1].split("/")[0])
        with socket.create_connection(("127.0.0.1", port), 30) as connection:
            connection.sendall(request_bytes)
            assert connection.recv(100).split()[1] == status
        assert said(Polls(sandbox).get("status")) == (0, "OK")


def test_it_is_reached_from_this_machine_alone() -> None:
    with Sandbox() as sandbox:
        assert sandbox.address.startswith("http://127.0.0.1:")
