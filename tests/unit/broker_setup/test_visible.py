"""What strangers wrote, in a log and at an operator's terminal: one line stays one line, and no cursor moves."""

import logging
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.table import Table

from broker_setup.operator import console
from broker_setup.process.logs import IN_LINES, LogLines
from broker_setup.visible import visible

FORGED = "a\n2026-11-27T19:53:41.250Z INFO gateway: all is well \x1b[2J\x1b]0;title\x07\r\x9b1m\u202e\u2028\ud800"


def logged(message: str, *arguments: object, error: Exception | None = None) -> str:
    exc_info = (type(error), error, error.__traceback__) if error else None
    return LogLines().format(logging.LogRecord("gateway", logging.INFO, "", 0, message, arguments, exc_info))


def test_what_can_be_read_stays_as_it_is() -> None:
    assert visible("Überraschung: 日本 👍 [red]") == "Überraschung: 日本 👍 [red]"
    assert visible("a\nb\tc\x1b", keep="\n") == "a\nb\\tc\\x1b"


def test_nothing_in_a_record_begins_a_line_of_its_own_or_speaks_to_the_terminal() -> None:
    line = logged("submission %s: parked", FORGED)
    assert line.isprintable(), line
    line.encode()


def test_an_errors_text_can_not_be_taken_for_another_record() -> None:
    first, *further = logged("went wrong", error=ValueError(FORGED)).split("\n")
    assert first.endswith("INFO gateway: went wrong")
    assert further
    assert all(line.startswith("    ") and line.isprintable() for line in further)


def test_the_traceback_in_a_message_of_ours_goes_on_in_lines_that_can_not_be_taken_for_records() -> None:
    record = logging.LogRecord("grader", logging.ERROR, "", 0, "failed\nTraceback:\n  %s", (FORGED,), None)
    assert "\n" not in LogLines().format(record)
    setattr(record, IN_LINES, True)
    first, second, *further = LogLines().format(record).split("\n")
    assert (first.endswith("ERROR grader: failed"), second) == (True, "    Traceback:")
    assert further
    assert all(line.startswith("    ") and line.isprintable() for line in further)


def test_a_line_end_after_a_message_is_no_part_of_it() -> None:
    assert logged("Exception in ASGI application\n").endswith("ASGI application")


def test_a_table_shows_brackets_as_they_are_and_control_characters_spelled_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    table = Table("what", title=console.cell("uuid \x1b[31m"))
    console.add_row(table, f"[red]{FORGED}")
    console.show_table(table)
    assert "[red]a\\n2026" in out.getvalue()
    assert not set(out.getvalue()) & {"\x1b", "\x07", "\r", "\x9b", "\u202e", "\ud800"}


def test_no_command_fills_a_table_in_another_way() -> None:
    commands = Path(console.__file__).parent
    others = [each.name for each in commands.glob("*.py") if ".add_row(" in each.read_text() and each.stem != "console"]
    assert not others
