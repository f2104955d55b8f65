"""What is made of an upstream's answers, whoever wrote them."""

import json
from typing import Any

import pytest
from yarl import URL

from broker_setup.upstream.dialect import Said, Taken, UpstreamError, is_done, is_logged_out, read_taken

BASE = URL("https://lms.example/xqueue")
HEADER = json.dumps({"submission_id": 7, "submission_key": "a key"})


def said(content: object, status: int = 200, code: object = 0) -> Said:
    return Said(status, {}, json.dumps({"return_code": code, "content": content}).encode())


def handed_out(**others: Any) -> Said:
    payload = {"xqueue_header": HEADER, "xqueue_body": "{}", "xqueue_files": "{}"} | others
    return said(json.dumps({name: value for name, value in payload.items() if value is not None}))


def test_what_is_handed_out_is_read_and_urls_are_made_whole() -> None:
    files = {"a b.py": "/media/q/1", "c.py": "https://store.example/c?sig=1%2F2"}
    taken = read_taken(handed_out(xqueue_body='{"x": 1}', xqueue_files=json.dumps(files)), BASE)
    whole = {"a b.py": "https://lms.example/media/q/1", "c.py": "https://store.example/c?sig=1%2F2"}
    assert taken == Taken(7, "a key", HEADER, '{"x": 1}', whole)


def test_no_files_may_be_left_out_and_an_empty_queue_is_nothing() -> None:
    taken = read_taken(handed_out(xqueue_files=None), BASE)
    assert taken
    assert taken.files == {}
    assert read_taken(said("Queue 'q' is empty", code=1), BASE) is None


@pytest.mark.parametrize(
    "answer",
    [
        said("x", 500),
        said("x", 302),
        Said(200, {}, b"<html>maintenance</html>"),
        Said(200, {}, b"\xff\xfe\x00"),
        Said(200, {}, b"[" * 100_000),
        Said(200, {}, b"[]"),
        Said(200, {}, b'{"return_code": true, "content": "x"}'),
        Said(200, {}, b'{"return_code": 0, "content": ["x"]}'),
        said("no JSON"),
        said("[" * 100_000),
        said(json.dumps([])),
        said(json.dumps({"return_code": 0})),
        handed_out(xqueue_header=None),
        handed_out(xqueue_body=None),
        handed_out(xqueue_body={"a": 1}),
        handed_out(xqueue_files=[]),
        handed_out(xqueue_files="[]"),
        handed_out(xqueue_files='{"a": 1}'),
        handed_out(xqueue_files='{"a": "file:///etc/passwd"}'),
        handed_out(xqueue_files='{"a": "http://[::1"}'),
        handed_out(xqueue_files=json.dumps({"a": "/" * 10_000})),
        handed_out(xqueue_header="{}"),
        handed_out(xqueue_header='{"submission_id": "7", "submission_key": "k"}'),
        handed_out(xqueue_header='{"submission_id": true, "submission_key": "k"}'),
        handed_out(xqueue_header='{"submission_id": -1, "submission_key": "k"}'),
        handed_out(xqueue_header='{"submission_id": %s, "submission_key": "k"}' % (10**30)),
        handed_out(xqueue_header='{"submission_id": 7, "submission_key": ""}'),
        handed_out(xqueue_header=json.dumps({"submission_id": 7, "submission_key": "k" * 201})),
        handed_out(xqueue_header='{"submission_id": 7, "submission_key": null}'),
    ],
)
def test_anything_else_is_refused_with_a_reason_and_nothing_of_it_is_quoted(answer: Said) -> None:
    with pytest.raises(UpstreamError) as error:
        read_taken(answer, BASE)
    assert len(str(error.value)) < 100


def test_done_is_what_the_upstream_says_and_no_page_in_front_of_it() -> None:
    assert is_done(said(""))
    assert not is_done(said("", 201))
    assert not is_done(said("Incorrect reply format", 400, 1))
    assert not is_done(Said(200, {}, b"<html></html>"))


def test_a_session_has_ended_where_somebody_else_than_the_queue_says_403() -> None:
    assert is_logged_out(Said(403, {}, b'{"detail": "Authentication credentials were not provided."}'))
    assert is_logged_out(Said(401, {}, b"<html></html>"))
    assert not is_logged_out(said("Incorrect key for submission", 403, 1))
    assert not is_logged_out(Said(500, {}, b""))
