"""The rows of the contract about who is calling: login/, logout/, status/, redirects, Basic auth, slashes."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.support.gateway import USERS, Client, Gateway, lms_header
from tests.support.raw_http import connection

pytestmark = pytest.mark.usefixtures("empty")

FOREIGN = ("gate", "the gate's password")
GUARDED = ["submit/", "get_queuelen/", "get_submission/", "put_result/"]


@pytest.fixture
def member(stranger: Client) -> Client:
    """A client with a session and no Basic auth."""
    assert stranger.login() == (0, "Logged in")
    return stranger


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_login_by_anything_but_post_says_login_required(stranger: Client, method: str) -> None:
    assert stranger.call(method, "login/") == (1, "login_required")


@pytest.mark.parametrize("form", [{}, {"username": "lms"}, {"password": "x"}, {"Username": "lms", "password": "x"}])
def test_login_without_username_or_password_lacks_info(stranger: Client, form: dict[str, str]) -> None:
    assert stranger.call("POST", "login/", data=form) == (1, "Insufficient login info")
    assert not stranger.session.cookies


@pytest.mark.parametrize(
    ("user", "password"),
    [("lms", "wrong"), ("lms", ""), ("", ""), ("nobody", "x"), ("grader", USERS["lms"]), ("LMS", USERS["lms"])],
)
def test_a_wrong_login_is_refused(stranger: Client, user: str, password: str) -> None:
    form = {"username": user, "password": password}
    assert stranger.call("POST", "login/", data=form) == (1, "Incorrect login credentials")
    assert not stranger.session.cookies


def test_a_right_login_opens_a_session_that_needs_no_more_passwords(stranger: Client) -> None:
    answer = stranger.raw("POST", "login/", data={"username": "lms", "password": USERS["lms"]})
    assert (answer.status_code, answer.json()) == (200, {"return_code": 0, "content": "Logged in"})
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert stranger.queuelen() == 0


def test_the_session_cookie_is_http_only_same_site_lax_and_lasts_14_days(stranger: Client) -> None:
    answer = stranger.raw("POST", "login/", data={"username": "lms", "password": USERS["lms"]})
    parts = [part.strip().lower() for part in answer.headers["set-cookie"].split(";")]
    assert parts[0].startswith("sessionid=")
    assert {"httponly", "samesite=lax", "max-age=1209600", "path=/"} <= set(parts)
    assert "secure" not in parts


def test_logout_says_goodbye_and_ends_the_session(member: Client) -> None:
    assert member.call("GET", "logout/") == (0, "Goodbye")
    assert not member.session.cookies
    assert member.raw("GET", "get_queuelen/").status_code == 302


def test_a_copy_of_a_cookie_is_worth_nothing_after_logout(member: Client) -> None:
    copy = member.session.cookies.copy()
    assert member.call("GET", "logout/") == (0, "Goodbye")
    member.session.cookies = copy
    assert member.raw("GET", "get_queuelen/").status_code == 302


def test_logout_of_a_stranger_says_goodbye_too(stranger: Client) -> None:
    assert stranger.call("GET", "logout/") == (0, "Goodbye")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_status_is_ok_without_a_login(stranger: Client, method: str) -> None:
    assert stranger.call(method, "status/") == (0, "OK")


@pytest.mark.parametrize("call", GUARDED)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_call_without_a_session_is_sent_to_the_login(stranger: Client, method: str, call: str) -> None:
    answer = stranger.raw(method, call, params={"queue_name": "openedx"}, data={"a": "b"} if method == "POST" else None)
    assert answer.status_code == 302
    location = urlsplit(answer.headers["location"])
    assert location.path == "/xqueue/login/"
    assert parse_qs(location.query) == {"next": [f"/xqueue/{call}?queue_name=openedx"]}


@pytest.mark.parametrize("cookie", ["", "x", "forged.session.cookie", '"', "a=b; c", "é".encode().decode("latin-1")])
def test_a_session_that_is_not_ours_is_none(stranger: Client, cookie: str) -> None:
    headers = {"Cookie": f"sessionid={cookie}".encode("latin-1")}
    assert stranger.raw("GET", "get_queuelen/", headers=headers).status_code == 302


def test_the_redirect_comes_only_after_the_whole_body_was_read(gateway: Gateway) -> None:
    size, pieces = 5 * 1024 * 1024, 40
    piece = b"x" * (size // pieces)
    with connection(gateway.url) as slow:
        slow.request("POST", "/xqueue/submit/", length=size)
        for _ in range(pieces - 1):
            slow.send(piece)
            time.sleep(0.01)
        slow.send(piece[:-1])
        assert slow.is_silent_for(0.4), "answered before the body had ended"
        slow.send(b"x")
        answer = slow.answer()
    assert answer.status == 302
    assert answer.headers["location"].startswith("/xqueue/login/?next=")


@pytest.mark.parametrize("call", GUARDED)
def test_the_lms_follows_the_redirect_and_reads_login_required(stranger: Client, call: str) -> None:
    answer = stranger.raw("POST", call, data={"xqueue_header": lms_header()}, allow_redirects=True)
    assert [hop.status_code for hop in answer.history] == [302]
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.json() == {"return_code": 1, "content": "login_required"}


@pytest.mark.parametrize("call", ["login", "logout", "status", *(each.rstrip("/") for each in GUARDED)])
def test_get_without_the_slash_is_redirected_to_it_with_its_query(lms: Client, call: str) -> None:
    answer = lms.raw("GET", call, params={"queue_name": "a b&c", "x": "é"})
    assert answer.status_code == 301
    assert answer.headers["location"] == f"/xqueue/{call}/?queue_name=a+b%26c&x=%C3%A9"
    assert lms.raw("GET", call).headers["location"] == f"/xqueue/{call}/"


def test_post_without_the_slash_is_taken_as_if_it_had_one(stranger: Client, lms: Client, grader: Client) -> None:
    form = {"username": "lms", "password": USERS["lms"]}
    assert stranger.call("POST", "login", data=form) == (0, "Logged in")
    submission = {"xqueue_header": lms_header(), "xqueue_body": "work"}
    assert lms.call("POST", "submit", data=submission) == (0, "1")
    taken = grader.get_one()
    reply = {"xqueue_header": taken["xqueue_header"], "xqueue_body": "reply"}
    assert grader.call("POST", "put_result", data=reply) == (0, "")


def test_post_without_the_slash_and_without_a_session_is_sent_to_the_login(stranger: Client) -> None:
    answer = stranger.raw("POST", "submit", data={"a": "b"})
    assert answer.status_code == 302
    assert answer.headers["location"].startswith("/xqueue/login/?next=")


def test_basic_auth_of_an_account_of_ours_needs_no_session(lms: Client) -> None:
    assert lms.queuelen() == 0
    assert not lms.session.cookies


def test_basic_auth_of_ours_with_a_wrong_password_is_no_login(stranger: Client) -> None:
    assert stranger.raw("GET", "get_queuelen/", auth=("lms", "wrong")).status_code == 302


def test_foreign_basic_auth_is_ignored_without_a_session(stranger: Client) -> None:
    assert stranger.raw("GET", "get_queuelen/", auth=FOREIGN).status_code == 302
    assert stranger.call("GET", "login/", auth=FOREIGN) == (1, "login_required")
    form = {"username": "lms", "password": USERS["lms"]}
    assert stranger.call("POST", "login/", data=form, auth=FOREIGN) == (0, "Logged in")


@pytest.mark.parametrize("auth", [FOREIGN, ("lms", USERS["lms"]), ("lms", "wrong"), ("", "")])
def test_a_session_is_good_whatever_basic_auth_comes_with_it(member: Client, auth: tuple[str, str]) -> None:
    code, content = member.call("GET", "get_queuelen/", params={"queue_name": "openedx"}, auth=auth)
    assert (code, content) == (0, 0)


@pytest.mark.parametrize(
    "header", ["Basic", "Basic ", "Basic !", "Basic bm9jb2xvbg==", "Basic \xe9", "Bearer x", "\xff"]
)
def test_basic_auth_that_cannot_be_read_is_ignored(stranger: Client, header: str) -> None:
    answer = stranger.raw("GET", "get_queuelen/", headers={"Authorization": header.encode("latin-1")})
    assert answer.status_code == 302


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/json"])
def test_a_login_body_of_any_content_type_is_read_as_a_form(stranger: Client, content_type: str | None) -> None:
    body = requests.Request("POST", "http://x", data={"username": "lms", "password": USERS["lms"]}).prepare().body
    headers = {"Content-Type": content_type}
    assert stranger.call("POST", "login/", data=body, headers=headers) == (0, "Logged in")


def test_a_multipart_login_is_read_too(stranger: Client) -> None:
    parts = {"username": (None, "lms"), "password": (None, USERS["lms"])}
    assert stranger.call("POST", "login/", files=parts) == (0, "Logged in")


@pytest.mark.parametrize("size", [70_000, 300_000, 5_000_000])
def test_an_enormous_login_is_refused_and_read_to_its_end(stranger: Client, size: int) -> None:
    form = {"username": "lms", "password": "x" * size}
    assert stranger.call("POST", "login/", data=form) == (1, "Insufficient login info")


def test_a_csrf_token_is_not_asked_for_and_does_no_harm(stranger: Client) -> None:
    headers = {"X-CSRFToken": "x" * 64, "Referer": "http://elsewhere/"}
    form = {"username": "lms", "password": USERS["lms"], "csrfmiddlewaretoken": "x" * 64}
    cookies = {"csrftoken": "x" * 64}
    assert stranger.call("POST", "login/", data=form, headers=headers, cookies=cookies) == (0, "Logged in")
    submission = {"xqueue_header": lms_header(), "xqueue_body": "work"}
    assert stranger.call("POST", "submit/", data=submission, headers=headers) == (0, "1")


def test_a_path_that_is_none_is_not_found(lms: Client) -> None:
    answer = lms.raw("GET", "elsewhere/")
    assert (answer.status_code, answer.json()["return_code"]) == (404, 1)


def test_health_is_told_without_a_login(gateway: Gateway) -> None:
    with requests.Session() as session:
        assert session.get(f"{gateway.url}/healthz", timeout=60).status_code == 200
        ready = session.get(f"{gateway.url}/readyz", timeout=60)
    assert ready.status_code == 200
    told = ready.json()
    assert abs(told.pop("clock_ahead_seconds")) < 1
    assert told == {"status": "ready", "problems": []}
