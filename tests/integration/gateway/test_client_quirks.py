"""What each known client relies on, done the way that client does it."""

import base64
import json
import re
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from typing import Any

import pytest
import requests

from tests.support.broker_side import BrokerSide
from tests.support.gateway import PATIENCE_SECONDS, USERS, Client, Gateway, lms_header, wait_until
from tests.support.raw_http import connection

pytestmark = pytest.mark.usefixtures("empty")

REPLY = json.dumps({"correct": True, "score": 1, "msg": "<p>Good job!</p>"})
WATCHER_SECONDS = 1.0


@pytest.fixture
def bare(gateway: Gateway) -> Iterator[requests.Session]:
    """A session as a client makes it for itself."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture
def waiting(empty: None, lms: Client) -> None:
    """One submission that nobody has taken."""
    fields = {"xqueue_header": lms_header(), "xqueue_body": "work"}
    assert lms.call("POST", "submit/", data=fields, files={"a.py": b"content"}) == (0, "1")


def handed_out(poll: Callable[[], requests.Response]) -> requests.Response:
    """Poll again and again, as every client does, until a submission comes; return the answer that brought it."""

    def taken() -> requests.Response | None:
        answer = poll()
        return answer if answer.json()["return_code"] == 0 else None

    answer: requests.Response = wait_until(taken, PATIENCE_SECONDS, "no submission came")
    return answer


def test_the_lms_logs_in_only_on_login_required_and_sends_again(gateway: Gateway, bare: requests.Session) -> None:
    submission = {"xqueue_header": lms_header(), "xqueue_body": "work"}

    def send() -> tuple[int, Any]:
        answer = bare.post(f"{gateway.url}/xqueue/submit/", data=submission, timeout=(3.05, 10))
        assert answer.status_code == 200, "the LMS takes nothing else"
        content = answer.json()
        return content["return_code"], content["content"]

    assert send() == (1, "login_required")
    login = bare.post(f"{gateway.url}/xqueue/login/", data={"username": "lms", "password": USERS["lms"]}, timeout=60)
    assert login.json()["return_code"] == 0
    assert send() == (0, "1")


@pytest.mark.parametrize("gate", [None, ("gate", "the gate's password")], ids=["no gate", "a gate in front"])
def test_the_lms_sends_its_files_once_more_after_it_has_logged_in(
    gateway: Gateway, bare: requests.Session, grader: Client, gate: tuple[str, str] | None
) -> None:
    bare.auth = gate
    submission, work = {"xqueue_header": lms_header(), "xqueue_body": "work"}, BytesIO(b"content")

    def send() -> tuple[int, Any]:
        work.seek(0)
        url, files = f"{gateway.url}/xqueue/submit/", {"a.py": work, "b.py": BytesIO(b"more")}
        content = bare.post(url, data=submission, files=files, timeout=(3.05, 10)).json()
        return content["return_code"], content["content"]

    assert send() == (1, "login_required")
    login = bare.post(f"{gateway.url}/xqueue/login/", data={"username": "lms", "password": USERS["lms"]}, timeout=60)
    assert login.json()["return_code"] == 0
    assert send() == (0, "1")
    files = grader.get_one()["xqueue_files"]
    assert {name: requests.get(url, timeout=60).content for name, url in files.items()} == {
        "a.py": b"content",
        "b.py": b"more",
    }


def test_the_lms_opens_a_new_session_for_each_problem(gateway: Gateway) -> None:
    for number in range(1, 6):
        with Client(gateway.url, basic=False) as mine:
            assert mine.login() == (0, "Logged in")
            assert mine.submit(lms_header(), "work") == (0, str(number))


@pytest.mark.usefixtures("waiting")
def test_xqueue_watcher_logs_in_with_csrf_within_its_second_and_returns_the_header_verbatim(
    gateway: Gateway, bare: requests.Session, beside: BrokerSide
) -> None:
    def within_a_second(method: str, path: str, **options: Any) -> requests.Response:
        return bare.request(
            method, f"{gateway.url}/xqueue{path}", timeout=WATCHER_SECONDS, allow_redirects=False, **options
        )

    def call(method: str, path: str, **options: Any) -> requests.Response:
        # It tries again too, and a busy machine may stand still for a second.
        for _ in range(4):
            with suppress(requests.Timeout):
                return within_a_second(method, path, **options)
        return within_a_second(method, path, **options)

    assert call("GET", "/get_submission/", params={"queue_name": "openedx"}).status_code == 302
    assert call("GET", "/login/").status_code == 200
    login = call(
        "POST",
        "/login/",
        data={"username": "grader", "password": USERS["grader"]},
        headers={"X-CSRFToken": bare.cookies.get("csrftoken") or "none"},
    )
    assert login.json()["return_code"] == 0
    got = handed_out(lambda: call("GET", "/get_submission/", params={"queue_name": "openedx"}))
    submission = json.loads(got.json()["content"])
    assert "xqueue_files" in submission
    put = call("POST", "/put_result/", data={"xqueue_header": submission["xqueue_header"], "xqueue_body": REPLY})
    assert put.json() == {"return_code": 0, "content": ""}
    assert [came.body for came in beside.take_all()] == [REPLY.encode()]
    assert call("GET", "/get_submission/", params={"queue_name": "openedx"}).json()["return_code"] == 1


@pytest.mark.usefixtures("waiting")
def test_tutors_command_line_reads_logged_in_and_nested_json_and_sends_the_id_as_a_string(
    gateway: Gateway, bare: requests.Session
) -> None:
    base = f"{gateway.url}/xqueue"
    login = bare.post(f"{base}/login/", data={"username": "lms", "password": USERS["lms"]}, timeout=60).json()
    assert login["content"] == "Logged in"
    got = handed_out(lambda: bare.get(f"{base}/get_submission/?queue_name=openedx", timeout=60))
    submission = json.loads(got.json()["content"])
    header = json.loads(submission["xqueue_header"])
    files = json.loads(submission["xqueue_files"])
    # It puts its own base before paths that do not start with http.
    assert all(url.startswith("http") for url in files.values())
    sent = {"submission_id": str(header["submission_id"]), "submission_key": header["submission_key"]}
    form = {"xqueue_header": json.dumps(sent), "xqueue_body": REPLY}
    assert bare.post(f"{base}/put_result/", data=form, timeout=60).json()["return_code"] == 0


@pytest.mark.usefixtures("waiting")
def test_bux_formats_the_id_with_percent_d_and_knows_exact_texts(grader: Client, stranger: Client) -> None:
    assert stranger.call("GET", "status/") == (0, "OK")
    wrong = {"username": "grader", "password": "wrong"}
    assert stranger.call("POST", "login/", data=wrong) == (1, "Incorrect login credentials")
    _, length = grader.call("GET", "get_queuelen/", params={"queue_name": "openedx"})
    assert int(length) == 1
    taken = grader.get_one()
    header = json.loads(taken["xqueue_header"])
    text = '{"submission_id": %d, "submission_key": "%s"}' % tuple(header.values())  # noqa: UP031 - as it does it
    assert grader.put(text, REPLY) == (0, "")
    empty = grader.call("GET", "get_submission/", params={"queue_name": "openedx"})
    assert empty == (1, "Queue 'openedx' is empty")
    unknown = grader.call("GET", "get_submission/", params={"queue_name": "nowhere"})
    assert unknown == (1, "Queue 'nowhere' not found")


@pytest.mark.usefixtures("waiting")
def test_the_ruby_client_sends_basic_auth_beside_its_session_and_finds_queues_by_regex(
    gateway: Gateway, bare: requests.Session
) -> None:
    bare.auth = ("gate", "keeper")
    base = f"{gateway.url}/xqueue"
    login = bare.post(f"{base}/login/", data={"username": "grader", "password": USERS["grader"]}, timeout=60)
    assert login.json()["return_code"] == 0
    names = bare.get(f"{base}/get_queuelen/?queue_name=", timeout=60).json()["content"]
    found = re.match(r"^Valid queue names are: (.*)$", names)
    assert found
    assert found[1].split(", ") == ["openedx", "other"]
    assert handed_out(lambda: bare.get(f"{base}/get_submission/?queue_name=openedx", timeout=60))


@pytest.mark.usefixtures("waiting")
def test_the_aiohttp_bridge_checks_the_content_type_and_names_the_queue_when_it_puts(
    gateway: Gateway, bare: requests.Session
) -> None:
    bare.auth = ("grader", USERS["grader"])
    base = f"{gateway.url}/xqueue"
    got = handed_out(lambda: bare.get(f"{base}/get_submission/?queue_name=openedx", timeout=60))
    assert got.headers["content-type"].split(";")[0] == "text/html"
    header = json.loads(got.json()["content"])["xqueue_header"]
    form = {"xqueue_header": header, "xqueue_body": REPLY}
    put = bare.post(f"{base}/put_result/?queue_name=openedx", data=form, timeout=60)
    assert put.headers["content-type"].split(";")[0] == "text/html"
    assert put.json() == {"return_code": 0, "content": ""}


def test_the_multi_broker_grader_takes_what_starts_with_queue_for_idle_and_parses_the_rest(
    lms: Client, grader: Client
) -> None:
    def poll() -> Any:
        _, content = grader.call("GET", "get_submission/", params={"queue_name": "openedx"})
        return None if content.startswith("Queue") else json.loads(content)

    assert poll() is None
    assert lms.submit(lms_header(), "work")[0] == 0
    assert wait_until(poll, PATIENCE_SECONDS, "no submission came")["xqueue_body"] == "work"
    assert poll() is None


def test_older_watchers_block_for_up_to_a_minute(lms: Client, gateway: Gateway) -> None:
    def watch() -> dict[str, Any] | None:
        with Client(gateway.url, "grader") as mine:
            return mine.get(block="true")

    with ThreadPoolExecutor(1) as pool:
        poll = pool.submit(watch)
        with pytest.raises(TimeoutError):
            poll.result(0.6)
        assert lms.submit(lms_header(), "work")[0] == 0
        assert poll.result(60)


@pytest.mark.usefixtures("waiting")
def test_stanfords_reference_takes_queuelen_for_a_number_and_fetches_files_without_a_login(
    grader: Client, bare: requests.Session
) -> None:
    _, length = grader.call("GET", "get_queuelen/", params={"queue_name": "openedx"})
    assert length > 0
    taken = grader.get_one()
    assert bare.get(taken["xqueue_files"]["a.py"], timeout=60).content == b"content"


@pytest.mark.usefixtures("waiting")
def test_node_clients_keep_the_id_whole_as_a_number(grader: Client) -> None:
    taken = grader.get_one()
    header = json.loads(taken["xqueue_header"])
    as_double = int(float(header["submission_id"]))  # what JavaScript makes of a number
    assert as_double == header["submission_id"]
    again = json.dumps({"submission_id": as_double, "submission_key": header["submission_key"]}, separators=(",", ":"))
    assert grader.put(again, REPLY) == (0, "")


def test_a_client_that_keeps_its_connection_open_is_served_again_and_again(gateway: Gateway) -> None:
    credentials = base64.b64encode(f"grader:{USERS['grader']}".encode()).decode()
    with connection(gateway.url) as kept:
        for _ in range(20):
            kept.request("GET", "/xqueue/status/", headers={"Authorization": f"Basic {credentials}"})
            assert kept.answer().envelope == (0, "OK")


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(gateway: Gateway) -> None:
    body = f"username=lms&password={uuid.uuid4().hex}".encode()
    with connection(gateway.url) as careful:
        careful.request("POST", "/xqueue/login/", headers={"Expect": "100-continue"}, length=len(body))
        assert careful.answer().status == 100
        careful.send(body)
        assert careful.answer().envelope == (1, "Incorrect login credentials")
