"""How the query of get_submissions/ and the body of put_results/ are read, and what a result's failure does."""

import json
import logging
import time
from typing import Any, cast

import pytest

from broker_setup.errors import BrokerUnavailableError, MessageTooLargeError
from gateway.http.bulk_calls import MAX_BULK, BulkCalls, parse_limit, parse_replies
from gateway.http.forms import FormLimits
from gateway.http.grader_calls import Reply
from gateway.http.refusals import IllFormedError, RefusedError
from gateway.leasing.reply_check import BadReplyError
from gateway.leasing.results import Permission, Results, UnknownSubmissionError, WrongKeyError
from tests.support.asgi import posted

NO_POLLS = cast("Any", None)
HEADER = json.dumps({"submission_id": 7, "submission_key": "key"})


def bulk(*results: Any) -> bytes:
    return json.dumps({"results": results}).encode()


@pytest.mark.parametrize(
    ("query", "limit"), [({}, 1), ({"limit": "1"}, 1), ({"limit": "20"}, 20), ({"limit": "100"}, 100)]
)
def test_a_limit_is_a_whole_number(query: dict[str, str], limit: int) -> None:
    assert parse_limit(query) == limit


@pytest.mark.parametrize("limit", ["0", "101", "-1", "1.0", "", "all", "٣", " 7", "1_0", "9" * 5000])
def test_any_other_limit_is_refused(limit: str) -> None:
    with pytest.raises(RefusedError, match="'limit' must be a whole number from 1 to 100"):
        parse_limit({"limit": limit})


def test_results_are_read_in_their_order_and_verbatim() -> None:
    bodies = ["", "🐍\r\n\t\x00", '{"correct": true}', "\ud83d alone"]
    read = parse_replies(bulk(*({"xqueue_header": HEADER, "xqueue_body": body, "more": 1} for body in bodies)))
    assert read == [Reply(7, "key", body.encode(errors="surrogatepass")) for body in bodies]


@pytest.mark.parametrize(
    "entry",
    [
        None,
        7,
        "text",
        [],
        {},
        {"xqueue_header": HEADER},
        {"xqueue_body": "reply"},
        {"xqueue_header": json.loads(HEADER), "xqueue_body": "reply"},
        {"xqueue_header": HEADER, "xqueue_body": {"correct": True}},
        {"xqueue_header": HEADER, "xqueue_body": None},
        {"xqueue_header": "{}", "xqueue_body": "reply"},
    ],
    ids=lambda value: repr(value)[:60],
)
def test_an_ill_formed_entry_stands_alone(entry: Any) -> None:
    good = {"xqueue_header": HEADER, "xqueue_body": "reply"}
    first, bad, last = parse_replies(bulk(good, entry, good))
    assert first == last == Reply(7, "key", b"reply")
    assert isinstance(bad, IllFormedError)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "The body is not JSON: Expecting value: line 1 column 1"),
        (b"xqueue_header=%7B%7D&xqueue_body=reply", "The body is not JSON: "),
        (b"\xff\xff", "The body is not JSON: "),
        (b"[" * 100_000, "The body is not JSON that can be read: it is nested too deeply"),
        (b"null", "The body must be a JSON object with a list 'results'"),
        (b"[]", "The body must be a JSON object with a list 'results'"),
        (b"{}", "The body must be a JSON object with a list 'results'"),
        (b'{"results": {}}', "The body must be a JSON object with a list 'results'"),
        (
            b'{"results": [' + b"[]," * 200_000 + b"1]}",
            "The body is not JSON that can be read: it has more than 100000 values",
        ),
        (bulk(*[{}] * (MAX_BULK + 1)), "'results' has 101 entries, of at most 100"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_an_ill_formed_body_is_refused_as_a_whole_with_what_is_wrong(body: bytes, why: str) -> None:
    with pytest.raises(RefusedError) as refused:
        parse_replies(body)
    assert str(refused.value).startswith(why)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_half_a_character_in_the_bytes_is_refused(encoding: str) -> None:
    body = '{"results": ["\ud83d"]}'.encode(encoding, "surrogatepass")
    with pytest.raises(RefusedError, match="The body is not JSON"):
        parse_replies(body)


@pytest.mark.parametrize(("digits", "most"), [(b"0." + b"7" * 774, 40), (b"7" * 4300, 400)], ids=["float", "integer"])
def test_numbers_without_end_are_refused_before_they_are_computed(digits: bytes, most: int) -> None:
    many = b'{"results": [' + b",".join([digits] * (16 * 1024 * 1024 // len(digits))) + b"]}"
    began = time.process_time()
    with pytest.raises(RefusedError, match=f"a number in it has more than {most} characters"):
        parse_replies(many)
    assert time.process_time() - began < 0.5


def test_a_hundred_and_none_at_all_are_fine() -> None:
    assert len(parse_replies(bulk(*[{}] * MAX_BULK))) == MAX_BULK
    assert parse_replies(bulk()) == []


class FakeResults:
    """Raises what the key of a result names."""

    def __init__(self, errors: dict[str, Exception]) -> None:
        self._errors = errors

    async def take(self, submission_id: int, key: str, body: bytes, permission: Permission, account: str) -> None:
        if key in self._errors:
            raise self._errors[key]


async def test_each_result_has_its_own_answer_whatever_happens_to_the_others() -> None:
    errors = {
        "unknown": UnknownSubmissionError("not for the caller"),
        "wrong": WrongKeyError("not for the caller"),
        "away": BrokerUnavailableError("not for the caller"),
        "large": MessageTooLargeError("more than 15 MiB"),
        "bad": BadReplyError("its score is not a number"),
        "bug": ZeroDivisionError("not for the caller"),
    }
    calls = BulkCalls(
        polls=cast("Any", None), results=cast("Results", FakeResults(errors)), limits=FormLimits(10_000, 0, 0, 0)
    )
    keys = ["good", *errors, "good too"]
    headers = [json.dumps({"submission_id": 7, "submission_key": key}) for key in keys]
    answer = await calls.put_results(posted(bulk(*({"xqueue_header": each, "xqueue_body": ""} for each in headers))))
    assert json.loads(bytes(answer.body)) == {
        "return_code": 0,
        "content": [
            {"return_code": 0, "content": ""},
            {"return_code": 1, "content": "Submission does not exist"},
            {"return_code": 1, "content": "Incorrect key for submission"},
            {"return_code": 1, "content": "The queue is unavailable at the moment, please try again"},
            {"return_code": 1, "content": "Reply is too large: more than 15 MiB"},
            {"return_code": 1, "content": "Incorrect reply format", "reason": "its score is not a number"},
            {"return_code": 1, "content": "Internal error"},
            {"return_code": 0, "content": ""},
        ],
    }


async def test_a_body_over_the_limit_is_refused() -> None:
    calls = BulkCalls(polls=NO_POLLS, results=cast("Results", FakeResults({})), limits=FormLimits(10, 0, 0, 0))
    with pytest.raises(RefusedError, match="Reply is too large: more than 10 bytes"):
        await calls.put_results(posted(bulk()))


async def test_an_ill_formed_entry_is_answered_as_put_result_would_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    calls = BulkCalls(
        polls=cast("Any", None), results=cast("Results", FakeResults({})), limits=FormLimits(10_000, 0, 0, 0)
    )
    with caplog.at_level(logging.INFO):
        answer = await calls.put_results(posted(bulk({"xqueue_header": HEADER})))
    assert json.loads(bytes(answer.body))["content"] == [
        {"return_code": 1, "content": "Incorrect reply format", "reason": "xqueue_body is missing"}
    ]
    assert "a result was refused: xqueue_body is missing" in caplog.text
