"""What `parked list` shows of each message: what its student knows, and every id whole."""

from datetime import UTC, datetime, timedelta

import pytest
from aio_pika import Message

from broker_setup.commands.parked_views import parked_as_dict, print_parked, student
from broker_setup.wire.notices import TOLD_BEFORE, Telling, telling_after
from broker_setup.wire.parked import Kind, ParkedMessage, parked_copy, read_parked

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
