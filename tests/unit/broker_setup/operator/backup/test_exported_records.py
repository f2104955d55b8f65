"""A message is the same after it was a line of a file; and what it is follows from where it lay."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from msgspec.structs import replace

from broker_setup.amqp.messages import Arrival, Message
from broker_setup.errors import ArgumentError, BadMessageError
from broker_setup.operator.backup.captured import Form, captured, form_of
from broker_setup.operator.backup.manifest import (
    ExportedFile,
    Manifest,
    check_secrets,
    check_signature,
    decode_manifest,
    encode_manifest,
    secrets_named,
    signed,
)
from broker_setup.operator.backup.plan import beyond_courses, to_walk
from broker_setup.operator.backup.records import line_of, message_in
from broker_setup.operator.copies import key_of
from broker_setup.topology import CHECKED_EXCHANGE, CHECKED_QUEUE, RESULTS_EXCHANGE, RESULTS_PARKED, RESULTS_QUEUE
from broker_setup.wire.properties import NOTICE_HEADER, RECORDED_HEADER
from tests.support.ledger_events import uuid_of

MANIFEST = Manifest(
    1, "id", "0.1.0", "then", "later", [7], [ExportedFile("ledger.jsonl", "xqueue.ledger", 1, 2, "")], {}
)


def arrival(body: bytes = b"work", *, exchange: str = "", **properties: Any) -> Arrival:
    return Arrival(body, channel=cast("Any", None), exchange=exchange, **properties)


def test_all_that_a_message_carries_comes_back() -> None:
    message = arrival(
        b"\x00\xff",
        headers={"text": "\u00e9", "number": 2**40, "list": [{"count": 1}], "time": datetime.fromtimestamp(1, UTC)},
        correlation_id="id",
        delivery_mode=2,
        timestamp=datetime.fromtimestamp(1_700_000_000, UTC),
        user_id="grader",
        expiration="5",
        reply_to="xqueue.results",
    )
    assert key_of(message_in(line_of(message))) == key_of(message)


def test_what_only_a_stranger_can_write_is_left_out() -> None:
    assert message_in(line_of(arrival(headers={"x" * 200: "value", "kept": "value"}))).headers == {"kept": "value"}


def test_the_brokers_own_count_is_left_out() -> None:
    assert message_in(line_of(arrival(headers={"x-delivery-count": 3}))).headers == {}


@pytest.mark.parametrize("line", [b"", b"{}", b'{"properties": "?", "body": ""}', b"[]"])
def test_a_line_that_is_none_is_refused(line: bytes) -> None:
    with pytest.raises(BadMessageError):
        message_in(line)


@pytest.mark.parametrize(
    ("queue", "exchange", "headers", "form"),
    [
        ("xqueue.submissions.openedx", "xqueue.submissions", {}, Form.WORK),
        ("xqueue.submissions.failed", "", {}, Form.WORK),
        ("xqueue.submissions.parked", "xqueue.parked", {}, Form.PARKED),
        ("xqueue.notices.24h", "xqueue.parked", {}, Form.NOTICE),
        ("xqueue.paused.openedx", "xqueue.paused", {}, Form.OTHER),
        ("xqueue.archive.results", CHECKED_EXCHANGE, {RECORDED_HEADER: 1}, Form.OTHER),
        (CHECKED_QUEUE, CHECKED_EXCHANGE, {RECORDED_HEADER: 1}, Form.RESULT),
        (CHECKED_QUEUE, CHECKED_EXCHANGE, {RECORDED_HEADER: 1, NOTICE_HEADER: 1}, Form.NOTICE),
        (CHECKED_QUEUE, CHECKED_EXCHANGE, {}, Form.UNREAD),
        ("xqueue.results.rung.30s", "xqueue.retry", {RECORDED_HEADER: 1}, Form.RESULT),
        # Written by a grader, and moved by the broker.
        (RESULTS_QUEUE, RESULTS_EXCHANGE, {RECORDED_HEADER: 1}, Form.UNREAD),
        (RESULTS_PARKED, "", {RECORDED_HEADER: 1, NOTICE_HEADER: 1}, Form.UNREAD),
    ],
)
def test_what_a_message_is_follows_from_where_it_lay(
    queue: str, exchange: str, headers: dict[str, Any], form: Form
) -> None:
    assert form_of(arrival(exchange=exchange, headers=headers), queue) is form


def test_what_names_no_submission_is_a_strangers() -> None:
    assert captured(arrival(correlation_id="mine"), "xqueue.submissions.openedx", 0, b"key").form is Form.OTHER


def test_a_result_on_a_rung_is_the_one_that_comes_back_from_there() -> None:
    uuid = uuid_of(1).hex()
    tried = arrival(exchange="xqueue.retry", correlation_id=uuid, headers={RECORDED_HEADER: 1})
    back = arrival(exchange=CHECKED_EXCHANGE, correlation_id=uuid, headers={RECORDED_HEADER: 1, "x-death": [{}]})
    first, second = captured(tried, "rung", 0, b"1"), captured(back, CHECKED_QUEUE, 0, b"2")
    assert first.identity == second.identity


def test_queues_are_walked_over_in_the_way_that_work_goes() -> None:
    names = ["xqueue.paused.a", "xqueue.results.parked", "xqueue.results.rung.1s", "xqueue.submissions.parked", "mine"]
    names += ["xqueue.results.checked", "xqueue.submissions.a", "xqueue.notices.24h", "xqueue.results", "xqueue.ledger"]
    names += ["xqueue.submissions.failed", "xqueue.relay", "xqueue.migrating.lock", "xqueue.archive.results"]
    way = ["xqueue.results", "xqueue.results.checked", "xqueue.submissions.failed", "xqueue.results.rung.1s"]
    way += ["xqueue.results.parked", "xqueue.submissions.parked"]
    assert to_walk(names) == [
        "xqueue.submissions.a",
        *way,
        "xqueue.notices.24h",
        "xqueue.archive.results",
        "xqueue.paused.a",
    ]
    assert beyond_courses(to_walk(names)) == way


def test_a_manifest_comes_back_and_another_version_is_refused_by_its_number() -> None:
    content = encode_manifest(MANIFEST)
    assert decode_manifest(content) == MANIFEST
    with pytest.raises(ArgumentError, match="of version 2"):
        decode_manifest(content.replace(b'"version": 1', b'"version": 2'))
    with pytest.raises(ArgumentError, match="not that of an export"):
        decode_manifest(b"{}")


def test_an_export_under_a_secret_that_is_not_set_is_refused() -> None:
    made = Manifest(1, "id", "0.1.0", "then", "later", secrets_named(["new secret", "old secret"]), [], {})
    check_secrets(made, ["new secret", "old secret", "another"])
    with pytest.raises(ArgumentError, match="1 of 2 SECRET_KEYs"):
        check_secrets(made, ["new secret"])


def test_a_manifest_that_was_changed_is_refused() -> None:
    made = signed(MANIFEST, "a secret of ours")
    check_signature(made, ["another secret", "a secret of ours"])
    with pytest.raises(ArgumentError, match="not as it was exported"):
        check_signature(replace(made, missing={"uuid": "queue"}), ["a secret of ours"])
    with pytest.raises(ArgumentError, match="not as it was exported"):
        check_signature(made, ["another secret"])


def test_a_manifest_has_no_secret() -> None:
    made = Manifest(1, "id", "0.1.0", "then", "later", secrets_named(["a secret of ours"]), [], {})
    assert b"a secret" not in encode_manifest(made)


def test_it_says_how_much_there_is() -> None:
    assert (MANIFEST.messages, MANIFEST.frames) == (0, 1)


def test_a_message_of_ours_is_one_line() -> None:
    line = line_of(Message(b"a\nb"))
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
