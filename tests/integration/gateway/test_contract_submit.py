"""The rows of the contract about submit/ and get_queuelen/, and the files that come with a submission."""

import hashlib
import json
import random
from urllib.parse import urlsplit

import pytest
import requests

from tests.support.gateway import PATIENCE_SECONDS, Client, Gateway, lms_header

pytestmark = pytest.mark.usefixtures("empty")

INVALID = (1, "Queue request has invalid format")
HEADER = {"lms_callback_url": "http://lms/callback", "lms_key": "key", "queue_name": "openedx"}
BODIES = {
    "empty": "",
    "json": json.dumps({"grader_payload": '{"name": "hello world"}', "student_response": "print('hi')\n"}),
    "emoji and scripts": "🐍 ünïcödé \u05e9\u05dc\u05d5\u05dd \u2028 \ufeff",
    "line ends": "a\r\nb\rc\n\r\n",
    "form characters": "a=b&c=d;e+f%20g%",
    "binary-looking": "".join(chr(code) for code in range(1, 256)),
    "a NUL": "a\x00b",
    "1 MB": "xyz\n🐍" * 125_000,
}


def test_submit_by_anything_but_post_is_told_so(lms: Client) -> None:
    assert lms.call("GET", "submit/") == (1, "Queue requests should use HTTP POST")
    assert lms.call("PUT", "submit/", data={"a": "b"}) == (1, "Queue requests should use HTTP POST")


@pytest.mark.parametrize("form", [{}, {"xqueue_header": lms_header()}, {"xqueue_body": "work"}])
def test_a_submit_that_lacks_a_field_has_an_invalid_format(lms: Client, form: dict[str, str]) -> None:
    assert lms.call("POST", "submit/", data=form) == INVALID


@pytest.mark.parametrize(
    "header", ["", "{", "[]", "7", "null", '"text"', "[" * 50_000, "{'a': 1}"], ids=lambda h: h[:9]
)
def test_a_submit_whose_header_is_no_json_object_has_an_invalid_format(lms: Client, header: str) -> None:
    assert lms.submit(header, "work") == INVALID


@pytest.mark.parametrize("key", HEADER)
def test_a_submit_whose_header_lacks_a_part_has_an_invalid_format(lms: Client, key: str) -> None:
    assert lms.submit(json.dumps({name: value for name, value in HEADER.items() if name != key}), "work") == INVALID


@pytest.mark.parametrize("name", ["nowhere", "", "parked", "openedx ", "ünïcödé", "\ud800", "a'b", "x" * 10_000])
def test_a_submit_to_an_unknown_queue_is_told_so(lms: Client, name: str) -> None:
    assert lms.submit(json.dumps(HEADER | {"queue_name": name}), "work") == (1, f"Queue '{name}' not found")


def test_submits_answer_the_number_that_waits_as_a_string_and_queuelen_as_a_number(lms: Client, grader: Client) -> None:
    assert grader.queuelen() == 0
    for number in (1, 2, 3):
        assert lms.submit(lms_header(), f"work {number}") == (0, str(number))
        assert grader.queuelen() == number
    assert lms.submit(lms_header(queue="other"), "work") == (0, "1")
    for left in (2, 1, 0):
        assert grader.get_one()
        grader.wait_queuelen(left)
    assert grader.queuelen("other") == 1


def test_queuelen_without_a_queue_is_told_so(grader: Client) -> None:
    expected = (1, "'get_queuelen' must provide parameter 'queue_name'")
    assert grader.call("GET", "get_queuelen/") == expected


@pytest.mark.parametrize("name", ["nowhere", "", "OPENEDX"])
def test_queuelen_of_an_unknown_queue_names_the_valid_ones(grader: Client, name: str) -> None:
    expected = (1, "Valid queue names are: openedx, other")
    assert grader.call("GET", "get_queuelen/", params={"queue_name": name}) == expected


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
def test_the_body_travels_to_the_grader_byte_for_byte(lms: Client, grader: Client, kind: str, body: str) -> None:
    fields = {"xqueue_header": lms_header(), "xqueue_body": body}
    sent = {"data": fields} if kind == "urlencoded" else {"files": {k: (None, v.encode()) for k, v in fields.items()}}
    assert lms.call("POST", "submit/", **sent) == (0, "1")
    taken = grader.get_one()
    assert taken["xqueue_body"] == body
    assert taken["xqueue_files"] == {}


def test_a_header_of_a_long_callback_url_and_much_more_is_taken(lms: Client, grader: Client) -> None:
    header = json.dumps(HEADER | {"lms_callback_url": "http://lms/" + "x" * 2_000, "more": ["y" * 1_000] * 40})
    assert lms.submit(header, "work") == (0, "1")
    assert grader.get_one()


def test_a_grader_never_sees_the_callback_url_or_the_lms_key(lms: Client, grader: Client) -> None:
    assert lms.submit(lms_header("http://secret-callback/", key="secret-key"), "work") == (0, "1")
    code, content = grader.call("GET", "get_submission/", params={"queue_name": "openedx", "wait": PATIENCE_SECONDS})
    assert code == 0
    assert "secret" not in content


def fetch(url: str) -> requests.Response:
    """Fetch as a grader does that has no login at hand."""
    with requests.Session() as session:
        session.trust_env = False
        return session.get(url, timeout=30)


def test_files_are_named_after_their_parts_and_fetched_without_a_login(
    gateway: Gateway, lms: Client, grader: Client
) -> None:
    contents = {
        "student.py": b"print('hi')\r\n",
        "data.bin": random.Random(0).randbytes(5 * 1024 * 1024),
        "empty.txt": b"",
        "with space é.txt": b"x",
    }
    fields = {"xqueue_header": lms_header(), "xqueue_body": "work"}
    files = {name: ("the name on disk", content) for name, content in contents.items()}
    assert lms.call("POST", "submit/", data=fields, files=files) == (0, "1")
    taken = grader.get_one()
    assert list(taken["xqueue_files"]) == list(contents)
    for name, url in taken["xqueue_files"].items():
        assert url.startswith(f"{gateway.url}/xqueue/files/")
        answer = fetch(url)
        assert answer.status_code == 200
        assert hashlib.sha256(answer.content).digest() == hashlib.sha256(contents[name]).digest()
        assert answer.headers["content-disposition"].startswith("attachment")
        assert answer.headers["content-type"] == "application/octet-stream"
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_file_links_follow_the_host_that_the_submitter_called(lms: Client, grader: Client) -> None:
    fields = {"xqueue_header": lms_header(), "xqueue_body": "work"}
    host = {"Host": "xqueue.example:8080"}
    assert lms.call("POST", "submit/", data=fields, files={"a": b"x"}, headers=host) == (0, "1")
    taken = grader.get_one()
    assert taken["xqueue_files"]["a"].startswith("http://xqueue.example:8080/xqueue/files/")


@pytest.mark.parametrize("change", ["token", "short", "dots"])
def test_a_changed_file_link_is_not_found(gateway: Gateway, lms: Client, grader: Client, change: str) -> None:
    fields = {"xqueue_header": lms_header(), "xqueue_body": "work"}
    assert lms.call("POST", "submit/", data=fields, files={"a": b"x"}) == (0, "1")
    taken = grader.get_one()
    *_, token, name = urlsplit(taken["xqueue_files"]["a"]).path.split("/")
    changed = {"token": f"x{token[1:]}/{name}", "short": token, "dots": f"..%2f..%2fetc/{name}"}[change]
    answer = fetch(f"{gateway.url}/xqueue/files/{changed}")
    assert answer.status_code == 404
    assert answer.json()["return_code"] == 1


def test_other_fields_and_headers_do_no_harm(lms: Client, grader: Client) -> None:
    form = {"xqueue_header": lms_header(), "xqueue_body": "work", "extra": "x", "csrfmiddlewaretoken": "y"}
    assert lms.call("POST", "submit/", data=form) == (0, "1")
    assert grader.get_one()


@pytest.mark.parametrize("host", ["169.254.169.254", "[::ffff:169.254.169.254]", "user:password@169.254.169.254"])
def test_a_callback_to_a_metadata_address_is_refused_without_any_setting(
    lms: Client, grader: Client, host: str
) -> None:
    code, content = lms.submit(lms_header(f"http://{host}/latest/meta-data/"), "work")
    assert code == 1
    assert content.startswith("Queue request is refused: callbacks to http://")
    assert content.endswith(" are not allowed: it is a link-local address")
    assert "password" not in content
    assert grader.get() is None
