"""What a grader makes of what servers answer: this XQueue, the original, the queue within an LMS, and proxies."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from xqueue_grader.common.errors import BadMessageError
from xqueue_grader.transports.over_http.answers import Answer, NoSuchCallError, UnavailableError, retry_after
from xqueue_grader.transports.over_http.handed import read_handed

NOW = datetime(2026, 11, 29, 12, 0, 0, tzinfo=UTC)


def said(status: int, content: Any = None, code: int = 1, *, wait: str = "", location: str = "") -> Answer:
    headers = {"retry-after": wait, "location": location}
    body = b"<html>" if content is None else json.dumps({"return_code": code, "content": content}).encode()
    return Answer(status, headers, body)


@pytest.mark.parametrize(
    "answer",
    [
        said(302, location="/xqueue/login/?next=/xqueue/get_submission/"),
        said(200, "login_required"),
        said(401, "login_required"),
        said(401),
        said(403),
        Answer(403, {}, b'{"detail": "Authentication credentials were not provided."}'),
    ],
)
def test_who_is_nobody_to_the_server_logs_in(answer: Answer) -> None:
    assert answer.wants_login


@pytest.mark.parametrize(
    "answer",
    [
        said(200, "", 0),
        said(403, "Incorrect key for submission"),
        said(401, "Incorrect login credentials"),
        said(404),
        said(503, "The queue is unavailable at the moment, please try again"),
        said(301, location="https://elsewhere.example/xqueue/"),
    ],
)
def test_a_refusal_is_no_reason_to_log_in(answer: Answer) -> None:
    assert not answer.wants_login


@pytest.mark.parametrize("status", [200, 400, 403, 404, 409])
def test_an_envelope_says_what_happened_whatever_the_status(status: int) -> None:
    assert said(status, "Submission does not exist").read().refusal == "Submission does not exist"


@pytest.mark.parametrize("status", [404, 405, 410, 501])
def test_a_call_that_a_server_has_not_is_known_by_its_status_alone(status: int) -> None:
    with pytest.raises(NoSuchCallError):
        said(status).read()


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (said(503, "The queue is unavailable at the moment, please try again"), None),
        (said(429, "Too many", wait="7"), 7),
        (said(502), None),
        (said(200), None),
        (Answer(200, {}, b"[" * 100_000), None),
        (said(301, location="https://elsewhere.example/xqueue/"), None),
    ],
)
def test_what_answers_otherwise_is_asked_again(answer: Answer, seconds: float | None) -> None:
    with pytest.raises(UnavailableError) as unavailable:
        answer.read()
    assert unavailable.value.retry_after == seconds


def test_a_redirect_to_elsewhere_is_named() -> None:
    with pytest.raises(UnavailableError, match=r"https://elsewhere\.example.*name that in the URL"):
        said(308, location="https://elsewhere.example/xqueue/").read()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("3", 3),
        ("999999999999", 600),
        ("Sun, 29 Nov 2026 12:00:30 GMT", 30),
        ("Sun, 29 Nov 2026 11:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
)
def test_when_to_ask_again_is_read_in_seconds_and_as_a_date(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == seconds


HEADER = '{"submission_id": 12, "submission_key": "k"}'


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"xqueue_header": HEADER, "xqueue_body": "b", "xqueue_files": '{"a": "http://f/a"}'}),
        {"xqueue_header": json.loads(HEADER), "xqueue_body": "b", "xqueue_files": {"a": "http://f/a"}},
    ],
)
def test_a_submission_is_read_from_a_string_and_as_it_is(content: object) -> None:
    handed = read_handed(content)
    assert handed.header == HEADER
    assert handed.name == "12"
    submission = handed.submission("openedx")
    assert (submission.body, submission.files, submission.id) == ("b", {"a": "http://f/a"}, 12)


def test_a_lease_is_measured_by_the_clock_of_its_server() -> None:
    content = {"xqueue_header": HEADER, "xqueue_body": "b", "xqueue_files": "{}", "expires_at": 1060.0}
    assert read_handed(content, now=1000.0).seconds == 60


@pytest.mark.parametrize("content", [None, "x", [], "[]", {}, "[" * 100_000, '{"xqueue_body": "b"}'])
def test_what_has_no_header_is_no_submission(content: object) -> None:
    with pytest.raises(BadMessageError):
        read_handed(content)


@pytest.mark.parametrize("rest", [{}, {"xqueue_body": 1}, {"xqueue_body": "b", "xqueue_files": "[1]"}])
def test_what_has_no_body_or_files_that_are_none_is_refused(rest: dict[str, Any]) -> None:
    with pytest.raises(BadMessageError):
        read_handed({"xqueue_header": HEADER} | rest).submission("openedx")


def test_an_id_that_is_hostile_is_no_line_of_a_log() -> None:
    handed = read_handed({"xqueue_header": json.dumps({"submission_id": "1\nERROR: x"}), "xqueue_body": ""})
    assert "\n" not in handed.name
