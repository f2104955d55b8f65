"""How the fields of submit/ and put_result/ and the query of get_submission/ are read, and how a handout is written."""

import json
import logging
from typing import Any, cast
from urllib.parse import urlencode

import pytest

from broker_setup.settings.access_settings import Dialect
from broker_setup.wire.submissions import Submission
from gateway.http import grader_calls
from gateway.http.forms import FormLimits, TooLargeError
from gateway.http.grader_calls import GraderCalls, parse_reply, written
from gateway.http.lms_calls import parse_submit
from gateway.http.polls import parse_wait
from gateway.http.refusals import IllFormedError, QueueNotFoundError, headers_of, text_of
from gateway.leasing.handing_out import Handout
from tests.support.asgi import posted

GOOD_SUBMIT = {"lms_callback_url": "http://lms/callback", "lms_key": "key", "queue_name": "openedx"}
MOST = 55.0
GOOD_REPLY = {"submission_id": 7, "submission_key": "key"}
NO_OBJECTS = ["", "{", "null", "7", "[]", '"text"', "NaN", "[" * 100_000, '{"a":' * 100_000, "{'a': 1}", "\x00"]


def fields_of(header: Any, body: str | None = "work") -> dict[str, str]:
    text = header if isinstance(header, str) else json.dumps(header)
    return {"xqueue_header": text} | ({} if body is None else {"xqueue_body": body})


@pytest.mark.parametrize("body", ["", "work", "🐍\r\n\t\x00", "x" * 1_000_000])
def test_a_good_order_keeps_header_and_body_verbatim(body: str) -> None:
    header = '{ "queue_name" : "openedx",\r\n "lms_key":"k\\u00e9y", "lms_callback_url": "http://x/", "more": [1e5] }'
    parsed = parse_submit(fields_of(header, body))
    assert (parsed.queue, parsed.lms_header, parsed.body) == ("openedx", header, body)


@pytest.mark.parametrize("header", NO_OBJECTS, ids=lambda text: repr(text)[:20])
def test_an_order_whose_header_is_no_json_object_is_refused(header: str) -> None:
    with pytest.raises(IllFormedError, match=r"^xqueue_header is not a JSON object$"):
        parse_submit(fields_of(header))


def test_a_header_far_longer_than_any_lmss_is_refused_unread() -> None:
    header = json.dumps(GOOD_SUBMIT)[:-1] + ', "more": [' + "[]," * 400_000 + "1]}"
    with pytest.raises(TooLargeError, match=r"^xqueue_header has more than 1048576 characters$"):
        parse_submit(fields_of(header))
    with pytest.raises(TooLargeError, match=r"^xqueue_header has more than 1048576 characters$"):
        parse_reply(fields_of(header))


@pytest.mark.parametrize("key", GOOD_SUBMIT)
def test_an_order_that_lacks_a_part_of_its_header_is_refused(key: str) -> None:
    with pytest.raises(IllFormedError, match=rf"^{key} in xqueue_header is missing$"):
        parse_submit(fields_of({name: value for name, value in GOOD_SUBMIT.items() if name != key}))


@pytest.mark.parametrize("value", [None, 7, ["openedx"], {"a": "b"}, True])
def test_an_order_whose_callback_url_is_no_text_is_refused(value: object) -> None:
    with pytest.raises(IllFormedError, match=r"^lms_callback_url in xqueue_header is no text$"):
        parse_submit(fields_of(GOOD_SUBMIT | {"lms_callback_url": value}))


@pytest.mark.parametrize("key", [None, 7, ["key"], {"a": "b"}, True, 1.5])
def test_an_orders_key_may_be_anything_and_stays_as_it_is(key: object) -> None:
    header = json.dumps(GOOD_SUBMIT | {"lms_key": key})
    assert parse_submit(fields_of(header)).lms_header == header


@pytest.mark.parametrize(("name", "queue"), [(6001, "6001"), (None, "None"), (True, "True"), (["a"], "['a']")])
def test_an_orders_queue_is_the_text_of_what_stands_there(name: object, queue: str) -> None:
    assert parse_submit(fields_of(GOOD_SUBMIT | {"queue_name": name})).queue == queue


@pytest.mark.parametrize(
    ("fields", "lacking"),
    [({}, "xqueue_header"), ({"xqueue_body": "work"}, "xqueue_header"), (fields_of(GOOD_SUBMIT, None), "xqueue_body")],
)
def test_an_order_that_lacks_a_field_is_refused(fields: dict[str, str], lacking: str) -> None:
    with pytest.raises(IllFormedError, match=rf"^{lacking} is missing$"):
        parse_submit(fields)


@pytest.mark.parametrize(
    ("submission_id", "read_as"),
    [
        (7, 7),
        ("7", 7),
        ("007", 7),
        (-1, -1),
        ("-1", -1),
        (2**53 - 1, 2**53 - 1),
        (str(2**53 - 1), 2**53 - 1),
        (10**30, 10**30),
        (str(10**30), 10**30),
        (7.0, None),
        (7.5, None),
        ("7.0", None),
        ("", None),
        ("x", None),
        ("٣", None),
        ("1_000", None),
        ("0x7", None),
        ("9" * 100_000, None),
        (True, None),
        (None, None),
        ([7], None),
        ({"a": 7}, None),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_submission_id_is_an_integer_as_a_number_or_as_a_string(submission_id: Any, read_as: int | None) -> None:
    fields = fields_of(GOOD_REPLY | {"submission_id": submission_id}, "reply")
    if read_as is None:
        with pytest.raises(IllFormedError, match=r"^submission_id in xqueue_header is missing, or no integer$"):
            parse_reply(fields)
    else:
        assert parse_reply(fields).submission_id == read_as


@pytest.mark.parametrize("header", [*NO_OBJECTS, '{"submission_id": %s}' % ("9" * 5000)], ids=lambda text: text[:20])
def test_a_reply_whose_header_is_no_json_object_is_refused(header: str) -> None:
    with pytest.raises(IllFormedError, match=r"^xqueue_header is not a JSON object$"):
        parse_reply(fields_of(header))


@pytest.mark.parametrize("key", GOOD_REPLY)
def test_a_reply_that_lacks_a_part_of_its_header_is_refused(key: str) -> None:
    with pytest.raises(IllFormedError, match=rf"^{key} in xqueue_header is missing"):
        parse_reply(fields_of({name: value for name, value in GOOD_REPLY.items() if name != key}))


@pytest.mark.parametrize("key", [None, 7, ["key"], {}])
def test_a_reply_whose_key_is_no_string_is_refused(key: object) -> None:
    with pytest.raises(IllFormedError, match=r"^submission_key in xqueue_header is missing, or no text$"):
        parse_reply(fields_of(GOOD_REPLY | {"submission_key": key}))


@pytest.mark.parametrize(
    ("fields", "lacking"),
    [({}, "xqueue_header"), ({"xqueue_body": "reply"}, "xqueue_header"), (fields_of(GOOD_REPLY, None), "xqueue_body")],
)
def test_a_reply_that_lacks_a_field_is_refused(fields: dict[str, str], lacking: str) -> None:
    with pytest.raises(IllFormedError, match=rf"^{lacking} is missing$"):
        parse_reply(fields)


async def test_why_a_reply_is_refused_is_logged_and_nothing_of_it(caplog: pytest.LogCaptureFixture) -> None:
    calls = GraderCalls(
        queues=(),
        polls=cast("Any", None),
        counts=cast("Any", None),
        results=cast("Any", None),
        limits=FormLimits(10_000, 10_000, 10, 10),
    )
    form = urlencode(fields_of({"submission_id": "of a student", "submission_key": "key"}, "a student's")).encode()
    with caplog.at_level(logging.INFO), pytest.raises(IllFormedError) as refused:
        await calls.put_result(posted(form, "application/x-www-form-urlencoded"))
    [line] = [record.getMessage() for record in caplog.records if record.name == "gateway.http.grader_calls"]
    assert line == "grader '': a result was refused: submission_id in xqueue_header is missing, or no integer"
    assert text_of(refused.value) == "Incorrect reply format"
    reason = "submission_id in xqueue_header is missing, or no integer"
    assert headers_of(refused.value, Dialect.LEGACY) == {"x-xqueue-reason": reason}


@pytest.mark.parametrize(
    ("query", "seconds"),
    [
        ({}, 0.0),
        ({"block": "true"}, MOST),
        ({"block": "True"}, MOST),
        ({"block": "false"}, 0.0),
        ({"block": ""}, 0.0),
        ({"wait": "0"}, 0.0),
        ({"wait": "0.5"}, 0.5),
        ({"wait": "55"}, 55.0),
        ({"wait": "60"}, MOST),
        ({"wait": "1e300"}, MOST),
        ({"wait": "inf"}, MOST),
        ({"wait": "5", "block": "true"}, 5.0),
        ({"wait": "-1"}, None),
        ({"wait": "nan"}, None),
        ({"wait": ""}, None),
        ({"wait": "soon"}, None),
        ({"wait": "\x00"}, None),
        ({"wait": "9" * 100_000}, MOST),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_how_long_a_poll_waits(query: dict[str, str], seconds: float | None) -> None:
    assert parse_wait(query, MOST) == seconds


@pytest.mark.parametrize("body", ["", "work", "🐍 \ud83d é\r\n\x00\u2028", '{"nested": "json"}'])
@pytest.mark.parametrize("files", [{}, {"a b.py": "http://x/y", "é": "http://x/z"}])
def test_a_handout_is_three_json_strings_in_a_json_string(body: str, files: dict[str, str]) -> None:
    submission = Submission(uuid="f" * 32, queue="openedx", body=body, sealed_return="sealed", files=files)
    answer = "".join(written([Handout(submission, "key", expires_at=1.0)]))
    outer = json.loads(json.loads(answer))
    assert list(outer) == ["xqueue_header", "xqueue_body", "xqueue_files"]
    assert json.loads(outer["xqueue_header"]) == {"submission_id": 2**53 - 1, "submission_key": "key"}
    assert outer["xqueue_body"] == body
    assert json.loads(outer["xqueue_files"]) == files
    assert "sealed" not in answer


@pytest.mark.parametrize("body", ["", "🐍 \ud83d é\r\n\x00\u2028", '{"nested": "json"}'])
@pytest.mark.parametrize("files", [{}, {"a b.py": "http://x/y", "é": "http://x/z"}])
def test_a_small_handout_is_written_as_a_large_one(
    monkeypatch: pytest.MonkeyPatch, body: str, files: dict[str, str]
) -> None:
    handout = Handout(Submission("f" * 32, "openedx", body, "sealed", files=files), "key", expires_at=1.0)
    at_once = "".join(written([handout]))
    monkeypatch.setattr(grader_calls, "SMALL_CHARACTERS", -1)
    assert "".join(written([handout])) == at_once


def test_a_caller_gets_back_only_so_much_of_the_name_of_a_queue_that_there_is_not() -> None:
    assert text_of(QueueNotFoundError.of("elsewhere")) == "Queue 'elsewhere' not found"
    assert len(text_of(QueueNotFoundError.of("<" * 1_000_000))) < 10_100
