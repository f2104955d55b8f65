"""What `parked list` shows of each message: what its student knows, and every id whole."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from broker_setup.amqp.messages import Message
from broker_setup.operator.parked.views import parked_as_dict, print_parked, student
from broker_setup.wire.notices import TOLD_BEFORE, Telling, telling_after
from broker_setup.wire.parked import (
    PARKED_AT_HEADER,
    PARKED_QUEUE_HEADER,
    PARKED_TELL_AT_HEADER,
    Kind,
    ParkedMessage,
    parked_copy,
    read_parked,
)

NOON = datetime(2025, 1, 31, 12, tzinfo=UTC)
UUID = "0123456789abcdef" * 2
DAY = 24 * 3600.0


def parked(telling: Telling | None) -> ParkedMessage:
    message = Message(b"graded", correlation_id=UUID, timestamp=NOON)
    reason = "the LMS has not answered for a while; " * 10
    copy = parked_copy(message, reason, queue="openedx", origin="https://lms.example.org:18000", telling=telling)
    return read_parked(copy, Kind.RESULT)


@pytest.mark.parametrize(
    ("telling", "now", "knows"),
    [
        (telling_after(DAY, NOON.timestamp()), NOON, "to be told at 2025-02-01 12:00:00.000Z"),
        (telling_after(DAY, NOON.timestamp()), NOON + timedelta(days=1), "told at 2025-02-01 12:00:00.000Z"),
        (telling_after(0.0, NOON.timestamp()), NOON, "told"),
        (TOLD_BEFORE, NOON, "told"),
        (None, NOON, ""),
    ],
)
def test_the_list_says_what_a_student_knows(telling: Telling | None, now: datetime, knows: str) -> None:
    each = parked(telling)
    assert student(each, now) == knows
    said = parked_as_dict(each, now)
    assert said["told"] == knows.startswith("told")
    assert (said["tell_at"] is None) == (telling is None)


@pytest.mark.parametrize("columns", [40, 80, 100, 200])
def test_no_terminal_is_so_narrow_that_an_id_is_cut(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    each = parked(telling_after(DAY, NOON.timestamp()))
    print_parked([each], NOON)
    shown = capsys.readouterr().out
    assert UUID in shown
    assert str(each.submission_id) in shown


@pytest.mark.parametrize(
    "forged", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.999999"]
)
def test_a_forged_time_that_no_calendar_has_hides_no_other_message(
    forged: str, capsys: pytest.CaptureFixture[str]
) -> None:
    headers: dict[str, Any] = {
        PARKED_AT_HEADER: forged,
        PARKED_TELL_AT_HEADER: forged,
        PARKED_QUEUE_HEADER: "q" * 50_000,
    }
    message = read_parked(Message(b"x", headers=headers), Kind.RESULT)
    print_parked([message, parked(None)], NOON)
    shown = capsys.readouterr().out
    assert UUID in shown
    assert max(map(len, shown.splitlines())) < 2_000
    assert parked_as_dict(message, NOON)["parked_at"] is None
