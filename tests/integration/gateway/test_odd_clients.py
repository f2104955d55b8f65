"""Clients and LMSs that do it otherwise than most, as they were seen: each is served as the original served it."""

import json
from collections.abc import Iterator, Mapping
from urllib.parse import quote

import pytest

from tests.support.broker import VHost
from tests.support.broker_side import BrokerSide
from tests.support.gateway import USERS, Client, Gateway, lms_header, running_gateway
from tests.support.raw_http import connection

REPLY = json.dumps({"correct": True, "score": 1, "msg": "<p>Good job!</p>"})
NAMES = ["AT&T-x", "6001", "Ünï 🐍", "a/b\\c \"d\" 'e'", "%41+?#;=", "*.#", " ", "x" * 128, "$(f)[^a]|{2}~`"]
H2C = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAEAAEAAAAIAAAAB"}
JSON = {"Content-Type": "application/json"}


@pytest.fixture(scope="module")
def gateway(module_vhost: VHost, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    queues = dict.fromkeys(["openedx", "other", *NAMES])
    settings = {"XQUEUE_SUBMISSION_PROCESSING_DELAY": "10"}
    folder = tmp_path_factory.mktemp("gateway")
    with running_gateway(module_vhost.amqp_url, folder, queues=queues, settings=settings) as running:
        yield running
        assert "Traceback" not in running.log, running.log


@pytest.mark.parametrize("path", ["/xqueue/login/", "//xqueue//login/"])
def test_javas_client_offers_http_2_and_logs_in(gateway: Gateway, path: str) -> None:
    body = f"username=lms&password={quote(USERS['lms'])}".encode()
    with connection(gateway.url) as java:
        java.request("POST", path, headers=H2C | {"Expect": "100-continue"}, length=len(body))
        assert java.answer().status == 100
        java.send(body)
        assert java.answer().envelope == (0, "Logged in")


def test_an_old_client_that_speaks_http_1_0_logs_in_without_the_last_slash(gateway: Gateway) -> None:
    body = f"username=lms&password={quote(USERS['lms'])}".encode()
    with connection(gateway.url) as old:
        old.send(b"POST //xqueue/login HTTP/1.0\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert old.answer().envelope == (0, "Logged in")
        assert old.is_closed()


def test_a_body_in_chunks_is_read(gateway: Gateway) -> None:
    body = f"username=lms&password={quote(USERS['lms'])}".encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[at : at + 7]), body[at : at + 7]) for at in range(0, len(body), 7))
    with connection(gateway.url) as client:
        client.send(b"POST /xqueue/login/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        client.send(chunks + b"0\r\n\r\n")
        assert client.answer().envelope == (0, "Logged in")


def test_a_redirect_of_a_doubled_slash_leads_to_no_other_host(gateway: Gateway) -> None:
    with connection(gateway.url) as client:
        client.request("GET", "//xqueue/login?next=x")
        answer = client.answer()
        assert (answer.status, answer.headers["location"]) == (301, "/xqueue/login/?next=x")


@pytest.mark.usefixtures("empty")
def test_only_get_and_post_take_a_submission(lms: Client, grader: Client) -> None:
    assert lms.submit(lms_header(), "work") == (0, "1")
    for call in ("get_submission/", "get_submissions/"):
        for method in ("HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"):
            grader.raw(method, call, params={"queue_name": "openedx", "wait": "0.5"})
    assert grader.queuelen() == 1
    why = "'get_submission' must use HTTP GET or POST"
    assert grader.call("PUT", "get_submission/", params={"queue_name": "openedx"}) == (1, why)
    code, _ = grader.call("POST", "get_submission/", data={"queue_name": "openedx", "wait": "5"})
    assert code == 0


@pytest.mark.usefixtures("empty")
def test_a_client_that_speaks_json_is_understood_at_every_call(
    lms: Client, stranger: Client, beside: BrokerSide
) -> None:
    def call(name: str, fields: Mapping[str, object]) -> tuple[int, object]:
        return stranger.call("POST", name, data=json.dumps(fields), headers=JSON)

    assert call("login/", {"username": "lms", "password": USERS["lms"]}) == (0, "Logged in")
    header = json.loads(lms_header())
    assert call("submit/", {"xqueue_header": header, "xqueue_body": {"student_response": 7}}) == (0, "1")
    assert call("get_queuelen/", {"queue_name": "openedx"}) == (0, 1)
    code, content = call("get_submission/", {"queue_name": "openedx", "wait": 5})
    assert code == 0
    taken = json.loads(str(content))
    assert json.loads(taken["xqueue_body"]) == {"student_response": 7}
    lease = json.loads(taken["xqueue_header"])
    assert call("extend_lease/", {"xqueue_header": lease, "seconds": 700})[0] == 0
    assert call("put_result/", {"xqueue_header": lease, "xqueue_body": json.loads(REPLY)}) == (0, "")
    [came] = beside.take_all()
    assert json.loads(came.body) == json.loads(REPLY)


@pytest.mark.usefixtures("empty")
def test_names_of_parts_as_lmss_wrote_them_before_2020_are_read(lms: Client, grader: Client) -> None:
    parts = {"xqueue_header": lms_header(), "xqueue_body": "wörk"}
    body = "".join(
        f"--limit\r\nContent-Disposition: form-data; name*=utf-8''{name}\r\n\r\n{value}\r\n"
        for name, value in parts.items()
    )
    file = "--limit\r\nContent-Disposition: form-data; name*=utf-8''%C3%A9.py; filename*=utf-8''%C3%A9.py\r\n\r\nx\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=limit"}
    assert lms.call("POST", "submit/", data=f"{body}{file}--limit--\r\n".encode(), headers=kind) == (0, "1")
    taken = grader.get_one()
    assert taken["xqueue_body"] == "wörk"
    assert list(taken["xqueue_files"]) == ["é.py"]


@pytest.mark.usefixtures("empty")
def test_bytes_that_are_not_utf_8_are_replaced_and_the_others_stay(
    lms: Client, grader: Client, beside: BrokerSide
) -> None:
    header = b'{"more": "caf\xe9", ' + lms_header().encode()[1:]
    form = b"xqueue_header=" + quote(header).encode() + b"&xqueue_body=caf\xe9 \xc3\xa9%FF"
    assert lms.call("POST", "submit/", data=form) == (0, "1")
    taken = grader.get_one()
    assert taken["xqueue_body"] == "caf\ufffd é\ufffd"
    reply = b'{"correct": true, "score": 1, "msg": "<p>caf\xe9 \xc3\xa9</p>"}'
    form = f"xqueue_header={quote(taken['xqueue_header'])}&xqueue_body=".encode() + quote(reply).encode()
    assert grader.call("POST", "put_result/", data=form) == (0, "")
    assert [came.body for came in beside.take_all()] == [reply.replace(b"\xe9 ", "\ufffd ".encode())]


@pytest.mark.parametrize("key", ["null", "123", "1.50", '{"a" :  [1]}', "true"])
@pytest.mark.usefixtures("empty")
def test_a_key_of_any_type_is_the_lmss_own_business(lms: Client, grader: Client, key: str) -> None:
    url = f"http://127.0.0.1:1/{quote(key)}"
    header = f'{{"lms_callback_url": "{url}", "lms_key": {key}, "queue_name": "openedx"}}'
    assert lms.submit(header, "work") == (0, "1")
    assert grader.put(grader.get_one()["xqueue_header"], REPLY) == (0, "")


def test_a_queue_may_be_named_by_a_number(lms: Client, grader: Client) -> None:
    header = '{"lms_callback_url": "http://127.0.0.1:1/6001", "lms_key": "k", "queue_name": 6001}'
    assert lms.submit(header, "work") == (0, "1")
    assert grader.put(grader.get_one("6001")["xqueue_header"], REPLY) == (0, "")


@pytest.mark.parametrize("name", NAMES)
def test_a_queue_may_have_any_name_that_the_original_took(lms: Client, grader: Client, name: str) -> None:
    assert lms.submit(lms_header(queue=name), "work") == (0, "1")
    assert grader.queuelen(name) == 1
    assert grader.put(grader.get_one(name)["xqueue_header"], REPLY) == (0, "")
    assert grader.call("GET", "get_submission/", params={"queue_name": name}) == (1, f"Queue '{name}' is empty")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "/relative", "ftp://lms/x", ""])
def test_a_callback_url_that_nothing_can_be_posted_to_is_refused_at_once(lms: Client, url: str) -> None:
    header = json.dumps({"lms_callback_url": url, "lms_key": "k", "queue_name": "openedx"})
    why = "Queue request is refused: the LMS's callback URL is not an http or https URL"
    assert lms.submit(header, "work") == (1, why)


def test_what_is_set_wrongly_at_an_lms_or_a_grader_is_said_in_the_log(
    gateway: Gateway, lms: Client, grader: Client
) -> None:
    lms.submit(lms_header(queue="misspelt"), "work")
    lms.submit(json.dumps({"lms_key": "hunter2", "queue_name": "openedx"}), "hunter2")
    for call in ("get_submission/", "get_queuelen/"):
        grader.call("GET", call, params={"queue_name": "misspelt"})
    said = [line for line in gateway.log.splitlines() if "WARNING" in line and "(said once an hour)" in line]
    by_lms, by_grader = "/xqueue/submit/ by 'lms' at 127.0.0.1", "by 'grader' at 127.0.0.1"
    lacking = "Queue request has invalid format: lms_callback_url in xqueue_header is missing"
    for expected in (
        f"{by_lms} is refused: Queue 'misspelt' not found",
        f"{by_lms} is refused: {lacking}",
        f"/xqueue/get_submission/ {by_grader} is refused: Queue 'misspelt' not found",
        f"/xqueue/get_queuelen/ {by_grader} is refused: Queue 'misspelt' not found",
    ):
        assert [line for line in said if expected in line], (expected, said)
    assert "hunter2" not in gateway.log
