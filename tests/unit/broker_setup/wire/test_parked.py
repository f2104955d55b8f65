"""A parked message says why it is there, is read whatever it is, and is selected by what it says."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp import decode, encode

from broker_setup.amqp.messages import Message
from broker_setup.amqp.properties import write_properties
from broker_setup.operator.parked.redrive_plan import StudentStanding, redriven_copy, student_of
from broker_setup.operator.parked.selection import MAX_GROUPS, OTHERS, Selection, Tally
from broker_setup.topology import RESULTS_QUEUE
from broker_setup.wire.notices import TOLD_BEFORE, telling_after
from broker_setup.wire.parked import (
    ATTEMPT_HEADERS,
    PARKED_AT_HEADER,
    PARKED_NOTICE_HEADER,
    PARKED_ORIGIN_HEADER,
    PARKED_PREFIX,
    PARKED_QUEUE_HEADER,
    PARKED_REASON_HEADER,
    PARKED_TELL_AT_HEADER,
    REDRIVEN_HEADERS,
    UNTOLD_HEADERS,
    Kind,
    ParkedMessage,
    parked_copy,
    read_parked,
)
from broker_setup.wire.properties import (
    ATTEMPT_HEADER,
    BOOKKEEPING_HEADERS,
    MAX_RETURN_BYTES,
    REDRIVEN_HEADER,
    RESULT_REDRIVEN_HEADER,
    RESULT_UNTOLD_HEADER,
    RETURN_HEADER,
    SENDER_HEADER,
    TRIES_HEADER,
    UNTOLD_HEADER,
)
from broker_setup.wire.results import Result, Tries, encode_result
from broker_setup.wire.submissions import Submission, encode_submission

NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)
UUID = "0123456789abcdef" * 2


def example(**values: Any) -> ParkedMessage:
    said: dict[str, Any] = {
        "kind": Kind.RESULT,
        "correlation_id": UUID,
        "queue": "openedx",
        "origin": "https://lms",
    } | {
        "reason": "refused: 404",
        "parked_at": NOON,
        "sent_at": NOON,
        "attempts": 7,
        "redriven": 0,
        "size": 9,
    }
    return ParkedMessage(**said | values)


def test_a_copy_says_why_when_and_from_where() -> None:
    copy = parked_copy(Message(b"x"), "why", queue="openedx", origin="https://lms:8", at=NOON.timestamp())
    assert copy.headers == {
        PARKED_REASON_HEADER: "why",
        PARKED_AT_HEADER: "2025-01-31T12:00:00.000+00:00",
        PARKED_QUEUE_HEADER: "openedx",
        PARKED_ORIGIN_HEADER: "https://lms:8",
    }


def test_a_copy_keeps_its_own_headers_and_nothing_of_an_earlier_parking() -> None:
    first = parked_copy(Message(b"x", headers={ATTEMPT_HEADER: 3}), "first", queue="openedx", origin="https://lms")
    again = parked_copy(first, "again")
    assert again.headers[PARKED_REASON_HEADER] == "again"
    assert again.headers[ATTEMPT_HEADER] == 3
    assert PARKED_QUEUE_HEADER not in again.headers
    assert PARKED_ORIGIN_HEADER not in again.headers


@pytest.mark.parametrize("kind", Kind)
def test_what_was_parked_is_read_as_it_was(kind: Kind) -> None:
    of_a_result = {TRIES_HEADER: 7, RESULT_REDRIVEN_HEADER: 2}
    of_a_submission = {ATTEMPT_HEADER: 5, REDRIVEN_HEADER: 4}
    # A grader may have echoed the submission's.
    headers: dict[str, Any] = of_a_submission | (of_a_result if kind is Kind.RESULT else {})
    message = Message(b"graded", correlation_id=UUID, timestamp=NOON, headers=headers)
    read = read_parked(parked_copy(message, "why", queue="q", origin="o", at=NOON.timestamp()), kind)
    attempts, redriven = (7, 2) if kind is Kind.RESULT else (5, 4)
    assert read == ParkedMessage(kind, UUID, "q", "o", "why", NOON, NOON, attempts, redriven, 6)
    assert read.uuid == bytes.fromhex(UUID)


LATER = NOON + timedelta(hours=24)


@pytest.mark.parametrize("kind", Kind)
def test_a_copy_says_when_its_student_is_told_and_where_the_notice_waits(kind: Kind) -> None:
    telling = telling_after(24 * 3600.0, NOON.timestamp())
    read = read_parked(parked_copy(Message(b"x"), "why", at=NOON.timestamp(), telling=telling), kind)
    assert (read.tell_at, read.notice_queue) == (LATER, "xqueue.notices.24h")
    assert not read.is_told(LATER - timedelta(milliseconds=1))
    assert read.is_told(LATER)


def test_who_is_told_at_once_or_was_told_before_waits_for_no_notice() -> None:
    at_once = telling_after(0.0, NOON.timestamp())
    for telling in (at_once, TOLD_BEFORE):
        read = read_parked(parked_copy(Message(b"x"), "why", at=NOON.timestamp(), telling=telling), Kind.RESULT)
        assert read.is_told(NOON)
        assert read.notice_queue == ""


def test_where_nobody_is_told_it_says_nothing() -> None:
    assert not read_parked(parked_copy(Message(b"x"), "why"), Kind.RESULT).is_told(datetime.max.replace(tzinfo=UTC))


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("untold", [True, False])
def test_0_1_0_told_the_student_of_each_submission_that_it_parked_where_it_could(kind: Kind, *, untold: bool) -> None:
    headers: dict[str, Any] = {RETURN_HEADER: "sealed"} | ({UNTOLD_HEADER: 1} if untold else {})
    read = read_parked(parked_copy(Message(b"x", headers=headers), "why", at=NOON.timestamp()), kind)
    assert read.is_told(NOON) == (kind is Kind.SUBMISSION and not untold)


def test_a_stranger_can_not_name_another_queue_to_look_for_notices_in() -> None:
    message = Message(b"x", headers={PARKED_NOTICE_HEADER: "xqueue.submissions.openedx"})
    assert read_parked(message, Kind.RESULT).notice_queue == ""


@pytest.mark.parametrize("kind", Kind)
def test_a_redriven_copy_says_whether_its_student_was_told(kind: Kind) -> None:
    copy = parked_copy(Message(b"x", headers={UNTOLD_HEADERS[kind]: 1}), "why", telling=TOLD_BEFORE)
    parked = read_parked(copy, kind)
    assert UNTOLD_HEADERS[kind] not in redriven_copy(copy, parked, told=True).headers
    again = redriven_copy(copy, parked, told=False)
    assert again.headers[UNTOLD_HEADERS[kind]] == 1
    assert not [name for name in again.headers if name.startswith(PARKED_PREFIX)]


@pytest.mark.parametrize(
    ("tell_at", "queue", "is_held", "all_came", "student"),
    [
        (LATER, "xqueue.notices.24h", True, True, StudentStanding.UNTOLD),
        # It is due, and has not gone as we hold it.
        (NOON, "xqueue.notices.24h", True, True, StudentStanding.UNTOLD),
        (NOON, "xqueue.notices.24h", False, True, StudentStanding.TOLD),
        (NOON, "", False, True, StudentStanding.TOLD),
        # Dropped by a redrive that was killed.
        (LATER, "xqueue.notices.24h", False, True, StudentStanding.UNTOLD),
        # Another operator may have it.
        (LATER, "xqueue.notices.24h", False, False, StudentStanding.UNKNOWN),
        (None, "", False, False, StudentStanding.UNTOLD),
    ],
)
def test_a_student_is_told_once_the_notice_is_out(
    tell_at: datetime | None, queue: str, student: StudentStanding, *, is_held: bool, all_came: bool
) -> None:
    parked = replace(example(), tell_at=tell_at, notice_queue=queue)
    assert student_of(parked, NOON, is_held=is_held, all_came=all_came) is student


def test_a_copy_can_be_made_without_what_a_stranger_wrote() -> None:
    copy = parked_copy(Message(b"x", headers={TRIES_HEADER: 9, "mine": "kept"}), "why", without={TRIES_HEADER})
    assert "mine" in copy.headers
    assert TRIES_HEADER not in copy.headers


def test_a_copy_goes_to_nobody_else_whatever_a_stranger_wrote() -> None:
    copy = parked_copy(Message(b"x", headers={"CC": "refused by RabbitMQ", "BCC": "likewise", "mine": "kept"}), "why")
    assert {"CC", "BCC", "mine"} & copy.headers.keys() == {"mine"}


def test_what_the_broker_parked_is_read_from_its_x_death() -> None:
    death: dict[str, Any] = {"reason": "rejected", "queue": "xqueue.submissions.q.2", "time": NOON, "count": 1}
    read = read_parked(Message(b"", headers={"x-death": [death, {"queue": "earlier"}]}), Kind.SUBMISSION)
    assert (read.queue, read.parked_at) == ("q.2", NOON)
    assert read.reason == "dead-lettered: rejected from xqueue.submissions.q.2"
    of_results = read_parked(Message(b"", headers={"x-death": [death | {"queue": "xqueue.results"}]}), Kind.RESULT)
    assert of_results.queue == ""


def test_what_a_stranger_wrote_into_our_headers_of_a_message_that_the_broker_moved_is_passed_over() -> None:
    death: dict[str, Any] = {"reason": "expired", "queue": "xqueue.results", "time": NOON, "count": 1}
    claims: dict[str, Any] = dict.fromkeys(BOOKKEEPING_HEADERS, 7) | {
        RETURN_HEADER: "sealed",
        SENDER_HEADER: "xqueue-gateway",
        PARKED_REASON_HEADER: "whatever",
        PARKED_AT_HEADER: LATER.isoformat(),
        PARKED_QUEUE_HEADER: "another",
        PARKED_ORIGIN_HEADER: "https://victim.example",
        PARKED_TELL_AT_HEADER: NOON.isoformat(),
        PARKED_NOTICE_HEADER: "xqueue.notices.24h",
        "x-death": [death, {"queue": "xqueue.submissions.another", "count": 1_000_000, "time": LATER}],
    }
    message = Message(b"graded", correlation_id=UUID, timestamp=NOON, headers=claims)
    read = read_parked(message, Kind.RESULT, ours=False)
    why = "dead-lettered: expired from xqueue.results"
    assert read == ParkedMessage(Kind.RESULT, UUID, "", "", why, NOON, NOON, 0, 0, 6, ours=False)
    for told, more in ((True, {}), (False, {RESULT_UNTOLD_HEADER: 1})):
        copy = redriven_copy(message, read, told=told)
        assert copy.headers == {RETURN_HEADER: "sealed", RESULT_REDRIVEN_HEADER: 1} | more


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text(max_size=9) | st.binary(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["queue", "time", "reason"]), inner),
)
names = st.sampled_from(
    [
        *("x-death", PARKED_AT_HEADER, PARKED_REASON_HEADER, PARKED_QUEUE_HEADER, "mine"),
        *(*ATTEMPT_HEADERS.values(), *REDRIVEN_HEADERS.values()),
    ]
)


@given(st.dictionaries(names, anything), st.sampled_from(Kind))
def test_whatever_a_stranger_published_is_read_copied_and_selected(headers: dict[str, Any], kind: Kind) -> None:
    message = Message(b"x", headers=headers)
    read = read_parked(message, kind)
    Tally().add(read)
    Selection(before=NOON, since=NOON, reason="x", origin="*").takes(read)
    assert redriven_copy(message, read, told=True).headers[REDRIVEN_HEADERS[kind]] == read.redriven + 1


LARGEST_RETURN = "r" * MAX_RETURN_BYTES
FRAME_BYTES = 128 * 1024
WORDS = "\N{SNOWMAN}" * 9999


@pytest.mark.parametrize(
    "message",
    [
        encode_result(Result(UUID, b"graded", LARGEST_RETURN, Tries(3, 3, 3, 1), amendment=1, recorded=True)),
        encode_submission(Submission(UUID, "openedx", "work", LARGEST_RETURN, attempt=7, redriven=2)),
    ],
    ids=["result", "submission"],
)
def test_the_largest_return_address_is_kept_with_all_headers_and_the_copy_fits_a_frame(message: Message) -> None:
    copy = parked_copy(message, WORDS, queue=WORDS, origin=WORDS)
    assert copy.headers.items() >= message.headers.items()
    assert properties_size(copy) < FRAME_BYTES
    again = redriven_copy(copy, read_parked(copy, Kind.RESULT), told=True)
    assert again.headers[RETURN_HEADER] == LARGEST_RETURN
    assert properties_size(again) < FRAME_BYTES


@pytest.mark.parametrize(
    "strange",
    [
        {"large": "x" * 120_000},
        {f"{number}": "x" * 50_000 for number in range(3)},
        {f"{number}": 1 for number in range(20_000)},
        {"": b"x" * 10_000, "\N{SNOWMAN}" * 80: "\N{SNOWMAN}" * 30_000},
    ],
    ids=["one that is too large", "some", "very many", "long in bytes"],
)
def test_a_strangers_headers_push_none_of_ours_out(strange: dict[str, Any]) -> None:
    ours = encode_result(Result(UUID, b"graded", LARGEST_RETURN, Tries(3, 3, 3, 1), redriven=1)).headers
    copy = parked_copy(Message(b"graded", headers=strange | ours), WORDS, queue=WORDS, origin=WORDS)
    assert copy.headers.items() >= ours.items()
    assert properties_size(copy) < FRAME_BYTES


def test_what_fits_beside_a_header_that_does_not_is_kept() -> None:
    copy = parked_copy(Message(b"x", headers={"large": "x" * 120_000, "small": "kept"}), "why")
    assert copy.headers["small"] == "kept"
    assert "large" not in copy.headers


def test_a_text_that_is_not_utf_8_does_not_keep_the_copy_from_being_published() -> None:
    _, came = decode.field_table(b"\x00\x00\x00\x08\x01aS\x00\x00\x00\x01\xff")
    copy = parked_copy(Message(b"x", headers=came | {"mine": "kept"}), "why")
    assert properties_size(copy)
    assert copy.headers["mine"] == "kept"


def test_names_that_would_be_one_when_they_are_cut_do_not_hide_the_return_address_of_the_copy() -> None:
    strange: dict[str, Any] = dict.fromkeys(("n" * 128 + last for last in "ab"), "x")
    copy = parked_copy(Message(b"x", headers=strange | {RETURN_HEADER: "sealed"}), "why")
    _, read = decode.field_table(encode.field_table(dict(copy.headers)))
    assert not [name for name in read if name.startswith("nn")]
    assert copy.headers[RETURN_HEADER] == "sealed"


def properties_size(message: Message) -> int:
    return len(write_properties(message))


def test_a_redriven_submission_can_be_answered_by_amqp_graders_again() -> None:
    copy = redriven_copy(
        Message(b"work", headers={ATTEMPT_HEADER: 9}), example(kind=Kind.SUBMISSION, redriven=4), told=True
    )
    assert copy.reply_to == RESULTS_QUEUE
    assert (copy.headers[ATTEMPT_HEADER], copy.headers[REDRIVEN_HEADER]) == (1, 5)


@pytest.mark.parametrize(
    ("selection", "taken"),
    [
        (Selection(), True),
        (Selection(queue="openedx"), True),
        (Selection(queue="open"), False),
        (Selection(origin="HTTPS://L?S"), True),
        (Selection(origin="https"), False),
        (Selection(reason="REFUSED"), True),
        (Selection(reason="re*404"), True),
        (Selection(reason="[404]"), False),
        (Selection(correlation_id=UUID), True),
        (Selection(submission_id=1), False),
        (Selection(before=NOON), False),
        (Selection(before=NOON + timedelta(seconds=1)), True),
        (Selection(since=NOON), True),
        (Selection(queue="openedx", reason="500"), False),
    ],
)
def test_a_selection_takes_what_fulfils_all_of_it(selection: Selection, *, taken: bool) -> None:
    assert selection.takes(example()) == taken


def test_what_has_no_time_is_neither_old_nor_new() -> None:
    assert not Selection(before=NOON).takes(example(parked_at=None))
    assert not Selection(since=NOON).takes(example(parked_at=None))
    assert Selection().takes(example(parked_at=None))


def test_a_summary_counts_what_is_alike_and_its_memory_is_bounded() -> None:
    tally = Tally()
    tally.add(example(parked_at=NOON))
    tally.add(example(parked_at=NOON + timedelta(hours=1)))
    for number in range(2 * MAX_GROUPS):
        tally.add(example(reason=f"reason {number}"))
    (others, rest), (group, count), *_ = tally.groups().items()
    assert (others.reason, rest.number) == (OTHERS, MAX_GROUPS + 1)
    assert (group.reason, count.number) == ("refused: 404", 2)
    assert (count.oldest, count.newest) == (NOON, NOON + timedelta(hours=1))
    assert len(tally.groups()) == MAX_GROUPS + 1
