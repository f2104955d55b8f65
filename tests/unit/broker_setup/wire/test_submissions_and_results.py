"""The two messages: what is encoded comes back as it was, and everything else is a typed error."""

import contextlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from broker_setup.amqp.messages import PERSISTENT
from broker_setup.errors import BadMessageError, MessageTooLargeError
from broker_setup.wire.properties import (
    ATTEMPT_HEADER,
    BOOKKEEPING_HEADERS,
    MAX_MESSAGE_BYTES,
    MAX_RETURN_BYTES,
    RETURN_HEADER,
    SUBMISSION_ID_HEADER,
    TRIES_HEADER,
    decode_return,
)
from broker_setup.wire.results import Result, Tries, decode_result, encode_result
from broker_setup.wire.submissions import (
    Submission,
    decode_submission,
    decode_work,
    encode_submission,
    encoded_size,
)
from tests.support.deliveries import delivered, delivery

UUID = "0123456789abcdef" * 2
AWKWARD = "a\r\nb\tc \N{GRINNING FACE} \N{COMBINING ACUTE ACCENT} \u2028 \x00 \\u0000 <&\"'"

uuids = st.uuids().map(lambda uuid: uuid.hex)
# AMQP's timestamps are whole seconds.
moments = st.integers(min_value=0, max_value=2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
submissions = st.builds(
    Submission,
    uuid=uuids,
    queue=st.text(min_size=1),
    body=st.one_of(st.text(), st.just(AWKWARD)),
    sealed_return=st.text(alphabet=st.characters(codec="ascii")),
    files=st.dictionaries(st.text(), st.text(), max_size=3),
    submitted_at=moments,
    attempt=st.integers(min_value=1, max_value=2**31),
    redriven=st.integers(min_value=0, max_value=2**31),
    untold=st.booleans(),
)
counts = st.integers(min_value=0, max_value=2**31)
results = st.builds(
    Result,
    submission=uuids,
    body=st.one_of(st.binary(), st.just(AWKWARD.encode())),
    sealed_return=st.text(alphabet=st.characters(codec="ascii")),
    tries=st.builds(Tries, made=st.integers(min_value=1, max_value=2**31), refused=counts, waits=counts, since=counts),
    amendment=counts,
    redriven=counts,
    recorded=st.booleans(),
    notice=st.booleans(),
    graded_at=moments,
)


@given(submissions)
def test_a_submission_comes_back_as_it_was(submission: Submission) -> None:
    assert decode_submission(delivered(encode_submission(submission)), submission.queue) == submission


@given(results)
def test_a_result_comes_back_as_it_was(result: Result) -> None:
    assert decode_result(delivered(encode_result(result))) == result


@given(results)
def test_a_result_travels_byte_for_byte(result: Result) -> None:
    assert encode_result(result).body == result.body


@given(uuids)
def test_a_submission_id_is_a_whole_number_to_every_client(uuid: str) -> None:
    number = Submission(uuid, "q", "", "").submission_id
    assert 0 <= number < 2**53
    assert int(float(number)) == number
    assert Submission(uuid, "q", "other", "").submission_id == number


def test_a_submission_is_what_an_amqp_grader_is_promised() -> None:
    submission = Submission(UUID, "openedx", AWKWARD, "sealed", {"a b.txt": "http://x.example/1"}, attempt=3)
    message = encode_submission(submission)
    assert json.loads(message.body) == {
        "xqueue_header": {"submission_id": submission.submission_id, "queue_name": "openedx"},
        "xqueue_body": AWKWARD,
        "xqueue_files": {"a b.txt": "http://x.example/1"},
    }
    assert message.reply_to == "xqueue.results"
    assert message.correlation_id == UUID
    assert message.content_type == "application/json"
    assert message.type == "xqueue.submission"
    assert message.headers == {
        RETURN_HEADER: "sealed",
        SUBMISSION_ID_HEADER: submission.submission_id,
        ATTEMPT_HEADER: 3,
    }


def test_messages_survive_a_restart_of_the_broker() -> None:
    for message in (encode_submission(Submission(UUID, "q", "", "s")), encode_result(Result(UUID, b"", "s"))):
        assert message.delivery_mode is PERSISTENT


def test_two_publishes_of_one_submission_have_two_message_ids() -> None:
    submission = Submission(UUID, "q", "", "s")
    assert encode_submission(submission).message_id != encode_submission(submission).message_id


def test_a_message_that_no_broker_takes_is_refused_before_it_is_sent() -> None:
    encode_result(Result(UUID, bytes(MAX_MESSAGE_BYTES), "s"))
    with pytest.raises(MessageTooLargeError):
        encode_result(Result(UUID, bytes(MAX_MESSAGE_BYTES + 1), "s"))
    with pytest.raises(MessageTooLargeError):
        encode_submission(Submission(UUID, "q", MAX_MESSAGE_BYTES * "x", "s"))


def test_a_graders_message_needs_no_more_than_the_two_things_it_copied() -> None:
    bare = delivery(body=b'{"correct": true}', correlation_id=UUID, headers={RETURN_HEADER: b"sealed"})
    result = decode_result(bare)
    assert result == Result(UUID, b'{"correct": true}', "sealed", graded_at=result.graded_at)


@given(submissions, st.integers(min_value=1, max_value=9))
def test_a_grader_may_echo_all_headers_of_its_submission_and_means_nothing_by_it(
    submission: Submission, redriven: int
) -> None:
    headers = dict(encode_submission(replace(submission, redriven=redriven)).headers)
    result = decode_result(delivery(body=b"{}", correlation_id=submission.uuid, headers=headers))
    assert result == Result(submission.uuid, b"{}", submission.sealed_return, graded_at=result.graded_at)


@given(results, st.sampled_from([7, -1, "often", None]))
def test_the_bookkeeping_of_strangers_is_passed_over_whatever_it_says(result: Result, count: Any) -> None:
    plain = Result(result.submission, result.body, result.sealed_return, graded_at=result.graded_at)
    message = encode_result(result)
    assert decode_result(delivered(message), ours=False) == plain
    message.headers |= dict.fromkeys(BOOKKEEPING_HEADERS, count)
    assert decode_result(delivered(message), ours=False) == plain


def test_what_xqueue_keeps_on_a_result_is_all_of_its_bookkeeping() -> None:
    tries = Tries(1, 1, 1, 1)
    told = Result(UUID, b"{}", "s", tries, amendment=1, redriven=1, recorded=True, notice=True, sender="g")
    result = replace(told, untold=True)
    assert set(encode_result(result).headers) == BOOKKEEPING_HEADERS | {RETURN_HEADER}


BODY = b'{"xqueue_body": "x"}'


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"nonsense",
        b"null",
        b"[]",
        b"5",
        b'"text"',
        b"{}",
        b'{"xqueue_body": 5}',
        b'{"xqueue_body": null}',
        b'{"xqueue_body": "x", "xqueue_files": []}',
        b'{"xqueue_body": "x", "xqueue_files": null}',
        b'{"xqueue_body": "x", "xqueue_files": {"a": 5}}',
        b"[" * 100_000,
        b"1" * 5_000,
        b'{"xqueue_body": "\\ud800"}',
        b'{"xqueue_body": "x", "xqueue_files": {"a": "\\udfff"}}',
        b'{"xqueue_body": "x", "xqueue_files": {"\\ud800": "a"}}',
    ],
    ids=lambda body: repr(body[:50]),
)
def test_a_body_that_is_no_submission_is_a_bad_message_that_carries_it(body: bytes) -> None:
    with pytest.raises(BadMessageError) as caught:
        decode_submission(delivery(body=body, correlation_id=UUID, headers={RETURN_HEADER: "s"}), "q")
    assert caught.value.received == body


def _body_of(size: int) -> bytes:
    return b'{"xqueue_body": "%s"}' % (b"x" * (size - 19))


# Encoded anew, the second is larger than it was, and the third no larger than what it was in UTF-16.
@pytest.mark.parametrize(
    "body",
    [
        _body_of(MAX_MESSAGE_BYTES + 1),
        _body_of(MAX_MESSAGE_BYTES - 1),
        json.dumps({"xqueue_body": "\u4e2d" * (MAX_MESSAGE_BYTES * 2 // 5)}, ensure_ascii=False).encode("utf-16"),
    ],
    ids=["too large", "too large with our header", "too large in UTF-8"],
)
def test_a_body_that_would_fit_no_message_again_is_a_bad_message(body: bytes) -> None:
    with pytest.raises(BadMessageError, match="fit a message"):
        decode_submission(delivery(body=body, correlation_id=UUID, headers={RETURN_HEADER: "s"}), "q")


@given(body=st.text(st.characters(codec="utf-8") | st.sampled_from('"\\\n\x00\x7f/')), name=st.text('a"é'))
def test_the_size_of_a_message_is_known_before_it_is_made(body: str, name: str) -> None:
    submission = Submission(UUID, "q", body, "s", files={name: "http://files/1"})
    assert encoded_size(submission) == len(encode_submission(submission).body)


@given(body=st.text(st.characters(codec="utf-8") | st.sampled_from('"\\\n\x00\x7f/<')), name=st.text('a"é'))
def test_the_body_of_a_message_is_what_the_standard_library_would_write_without_spaces(body: str, name: str) -> None:
    files = {name: "http://files/1"}
    content = {
        "xqueue_header": {"submission_id": int(UUID, 16) % 2**53, "queue_name": "q"},
        "xqueue_body": body,
        "xqueue_files": files,
    }
    submission = Submission(UUID, "q", body, "s", files=files)
    assert encode_submission(submission).body.decode() == json.dumps(content, ensure_ascii=False, separators=(",", ":"))


texts = st.text(st.characters() | st.sampled_from('"\\\x00\ud800\ude00'))


@given(
    body=texts,
    files=st.dictionaries(texts, texts, max_size=2),
    more=st.floats() | st.lists(st.integers()) | st.integers(min_value=10**30),
    ascii_only=st.booleans(),
    charset=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32-be"]),
)
def test_work_is_read_as_the_standard_library_reads_it(
    body: str, files: dict[str, str], more: object, *, ascii_only: bool, charset: str
) -> None:
    content = {"more": more, "xqueue_body": body, "xqueue_files": files}
    sent = json.dumps(content, ensure_ascii=ascii_only).encode(charset, errors="replace")
    expected = json.loads(sent)
    try:
        "".join([expected["xqueue_body"], *expected["xqueue_files"], *expected["xqueue_files"].values()]).encode()
    except UnicodeEncodeError:
        with pytest.raises(BadMessageError, match="half a character"):
            decode_work(sent)
    else:
        assert decode_work(sent) == (expected["xqueue_body"], expected["xqueue_files"])


def test_the_largest_body_that_we_publish_is_read_again() -> None:
    room = MAX_MESSAGE_BYTES - len(encode_submission(Submission(UUID, "q", "", "s")).body)
    submission = Submission(UUID, "q", "x" * room, "s")
    assert decode_submission(delivered(encode_submission(submission)), "q").body == submission.body


@pytest.mark.parametrize("sealed", ["s" * (MAX_RETURN_BYTES + 1), "\u4e2d" * (MAX_RETURN_BYTES // 2)])
def test_a_return_address_that_would_fit_no_message_again_is_a_bad_message(sealed: str) -> None:
    message = delivery(body=BODY, correlation_id=UUID, headers={RETURN_HEADER: sealed})
    for decode in (decode_return, decode_result, lambda message: decode_submission(message, "q")):
        with pytest.raises(BadMessageError, match="fit a message"):
            decode(message)


@pytest.mark.parametrize("uuid", [None, "", "5", UUID[1:], UUID + "0", UUID.upper(), "g" * 32, 5, b"x" * 32])
def test_a_correlation_id_that_is_no_uuid_is_a_bad_message(uuid: object) -> None:
    message = delivery(body=BODY, correlation_id=uuid, headers={RETURN_HEADER: "s"})
    with pytest.raises(BadMessageError, match="correlation_id"):
        decode_submission(message, "q")
    with pytest.raises(BadMessageError, match="correlation_id"):
        decode_result(message)


@pytest.mark.parametrize(
    ("headers", "named"),
    [
        ({}, RETURN_HEADER),
        ({RETURN_HEADER: None}, RETURN_HEADER),
        ({RETURN_HEADER: 5}, RETURN_HEADER),
        ({RETURN_HEADER: "s", ATTEMPT_HEADER: -1}, ATTEMPT_HEADER),
        ({RETURN_HEADER: "s", ATTEMPT_HEADER: "2"}, ATTEMPT_HEADER),
        ({RETURN_HEADER: "s", ATTEMPT_HEADER: 1.5}, ATTEMPT_HEADER),
        ({RETURN_HEADER: "s", ATTEMPT_HEADER: True}, ATTEMPT_HEADER),
        ({RETURN_HEADER: "s", ATTEMPT_HEADER: None}, ATTEMPT_HEADER),
        ({RETURN_HEADER: "s", ATTEMPT_HEADER: 2**63}, ATTEMPT_HEADER),
    ],
)
def test_a_header_that_is_missing_or_wrong_is_named(headers: Mapping[str, Any], named: str) -> None:
    with pytest.raises(BadMessageError, match=named):
        decode_submission(delivery(body=BODY, correlation_id=UUID, headers=headers), "q")
    of_a_result = {TRIES_HEADER if name == ATTEMPT_HEADER else name: value for name, value in headers.items()}
    with pytest.raises(BadMessageError, match=TRIES_HEADER if named == ATTEMPT_HEADER else named):
        decode_result(delivery(body=BODY, correlation_id=UUID, headers=of_a_result))


anything: st.SearchStrategy[Any] = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=5,
)


@given(texts=st.lists(st.text(alphabet=st.characters(exclude_categories=())), min_size=3, max_size=3))
def test_what_is_read_as_a_submission_can_be_published_again(texts: list[str]) -> None:
    body, name, url = texts
    content = json.dumps({"xqueue_body": body, "xqueue_files": {name: url}}).encode()
    message = delivery(body=content, correlation_id=UUID, headers={RETURN_HEADER: "s"})
    with contextlib.suppress(BadMessageError):
        encode_submission(decode_submission(message, "q"))


@given(
    body=st.one_of(st.binary(), anything.map(lambda value: json.dumps(value, default=repr).encode())),
    correlation_id=st.one_of(anything, st.just(UUID)),
    headers=st.dictionaries(st.sampled_from([RETURN_HEADER, ATTEMPT_HEADER, TRIES_HEADER, "other"]), anything),
)
def test_garbage_is_a_bad_message_and_never_another_error(
    body: bytes, correlation_id: object, headers: Mapping[str, Any]
) -> None:
    message = delivery(body=body, correlation_id=correlation_id, headers=headers)
    for decode in (decode_result, lambda message: decode_submission(message, "q")):
        with contextlib.suppress(BadMessageError):
            decode(message)


@pytest.mark.parametrize(
    ("uuid", "headers"),
    [("x" * 255, {}), (UUID, {RETURN_HEADER: "sealed", TRIES_HEADER: "x" * 100_000})],
    ids=["correlation_id", "count"],
)
def test_an_error_quotes_little_of_what_a_stranger_sent(uuid: str, headers: dict[str, str]) -> None:
    with pytest.raises(BadMessageError, match="xxx") as caught:
        decode_result(delivery(correlation_id=uuid, headers=headers))
    assert len(str(caught.value)) < 150
