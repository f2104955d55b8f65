"""Who is answered in which dialect, and what each refusal is in both."""

from http.cookies import SimpleCookie

import pytest
from starlette.datastructures import Headers
from starlette.requests import Request

from broker_setup.errors import BrokerUnavailableError
from broker_setup.settings.access_settings import Dialect
from gateway.callers.door import NotLoggedInError, note_caller
from gateway.callers.throttle import TooManyGuessesError
from gateway.callers.tokens import BadTokenError, MissingScopeError, TokenFault
from gateway.http.dialects import LONGEST_ACCEPT, Dialects, asked_for
from gateway.http.envelope import success
from gateway.http.refusals import (
    REFUSED,
    LoginRequiredError,
    OverLimitError,
    QueueNotFoundError,
    RefusedError,
    WrongLoginError,
    WrongMethodError,
    status_of,
)
from gateway.leasing.reply_check import BadReplyError
from gateway.leasing.results import TooLateError, UnknownSubmissionError, WrongKeyError

LEGACY, REAL = Dialect.LEGACY, Dialect.EDX_SUBMISSIONS
DEFAULTS_OF_CLIENTS = [
    "",
    "*/*",  # requests, curl, aiohttp, httpx, the LMS, xqueue-watcher
    "*/*; q=0.5, application/xml",
    "application/json, text/plain, */*",
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
    "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
]


def test_of_an_accept_without_end_the_beginning_counts() -> None:
    json, html = "application/json", "text/html"
    assert asked_for(Headers({"accept": json + "," * LONGEST_ACCEPT + html})) is REAL
    assert asked_for(Headers({"accept": "," * LONGEST_ACCEPT + json})) is LEGACY


@pytest.mark.parametrize("accept", [*DEFAULTS_OF_CLIENTS, "text/*, application/json", "application/json;q=0", "json"])
def test_who_takes_what_the_original_answers_or_asks_for_nothing_gets_that(accept: str) -> None:
    assert asked_for(Headers({"accept": accept} if accept else {})) is LEGACY


@pytest.mark.parametrize(
    "accept",
    [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/json, text/plain",
        "application/json;q=0.5",
        "application/json, text/html;q=0, */*;q=0.0",
    ],
)
def test_who_takes_json_and_no_html_gets_real_statuses(accept: str) -> None:
    assert asked_for(Headers({"accept": accept})) is REAL


def test_the_ranges_may_stand_in_several_headers() -> None:
    assert asked_for(Headers(raw=[(b"accept", b"application/json"), (b"accept", b"*/*")])) is LEGACY


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (RefusedError("x"), 400),
        (BadReplyError("x"), 400),
        (NotLoggedInError(), 401),
        (WrongLoginError("x"), 401),
        (BadTokenError(TokenFault.EXPIRED), 401),
        (MissingScopeError(), 403),
        (WrongKeyError("x"), 403),
        (QueueNotFoundError("x"), 404),
        (UnknownSubmissionError("x"), 404),
        (WrongMethodError("x"), 405),
        (TooLateError("x"), 409),
        (OverLimitError("x"), 413),
        (TooManyGuessesError(7, of_address=True), 429),
        (BrokerUnavailableError("x"), 503),
    ],
)
def test_each_refusal_has_its_own_status(error: Exception, status: int) -> None:
    assert status_of(error, REAL) == status


def test_of_every_kind_of_refusal_only_a_look_at_the_login_is_no_failure() -> None:
    rows = {kind: status_of(kind.__new__(kind), REAL) for kind in REFUSED}
    assert [kind for kind, status in rows.items() if status < 400] == [LoginRequiredError]


def request(caller: str = "", **headers: str) -> Request:
    scope = {
        "type": "http",
        "method": "GET",
        "scheme": "http",
        "server": ("xqueue", 80),
        "path": "/xqueue/get_submission/",
        "query_string": b"queue_name=a b",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    made = Request(scope)
    if caller:
        note_caller(made, caller)
    return made


@pytest.mark.parametrize(
    ("caller", "accept", "content_type"),
    [
        ("grader", "*/*", "application/json"),
        ("old", "application/json", "text/html; charset=utf-8"),
        ("other", "application/json", "application/json"),
        ("other", "*/*", "text/html; charset=utf-8"),
        ("", "*/*", "text/html; charset=utf-8"),
    ],
)
def test_an_account_of_the_settings_is_always_answered_in_its_dialect(
    caller: str, accept: str, content_type: str
) -> None:
    dialects = Dialects({"grader": REAL, "old": LEGACY}, None)
    answer = dialects.answer(request(caller, accept=accept), success("OK"))
    assert answer.headers["content-type"] == content_type


def test_nobody_is_sent_to_the_login_by_the_original_and_told_to_log_in_by_the_other() -> None:
    dialects = Dialects({}, None)
    sent = dialects.refuse(request(), NotLoggedInError())
    assert (sent.status_code, sent.body) == (302, b"")
    assert sent.headers["location"] == "/xqueue/login/?next=/xqueue/get_submission/%3Fqueue_name%3Da%20b"
    told = dialects.refuse(request(accept="application/json"), NotLoggedInError())
    assert (told.status_code, told.body) == (401, b'{"return_code": 1, "content": "login_required"}')
    assert told.headers["www-authenticate"] == 'Basic realm="XQueue"'
    assert "location" not in told.headers


def test_only_the_other_dialect_gives_a_csrf_token_to_who_looks_at_the_login() -> None:
    dialects = Dialects({}, "https://xqueue")
    assert "set-cookie" not in dialects.refuse(request(), LoginRequiredError()).headers
    looked = dialects.refuse(request(accept="application/json", host="xqueue"), LoginRequiredError())
    assert looked.status_code == 200
    token = SimpleCookie(looked.headers["set-cookie"])["csrftoken"]
    assert len(token.value) == 32
    assert token["secure"]
    assert not token["httponly"], "its reader sends it back as a header"
