"""What the next command needs is never cut in a table, however narrow the terminal."""

import re

import pytest
from rich.measure import Measurement
from rich.table import Table

from broker_setup.operator import console
from broker_setup.wire.properties import submission_id_of

UUID = "5f0c2d1e9a7b4c3d8e2f1a0b9c8d7e6f"


NUMBER = str(submission_id_of(bytes.fromhex(UUID)))
REASON = "the LMS answered with an error, or not at all"


@pytest.mark.parametrize("columns", [20, 60, 100, 200])
@pytest.mark.parametrize("force", ["1", ""], ids=["terminal", "pipe"])
def test_an_id_is_shown_whole(
    columns: int, force: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", force)
    table = Table("time", "details", "uuid", "why", title=console.cell(f"submission {NUMBER}  {UUID}"))
    console.add_row(table, "2026-05-04 10:00:00.000Z", f"by {NUMBER}  {UUID}", UUID, REASON)
    console.show_table(table)
    shown = capsys.readouterr().out
    assert (shown.count(UUID), shown.count(NUMBER)) == (3, 2)
    assert "\u2026" not in shown
    if columns == 200 or not force:
        assert REASON in shown


def test_a_table_is_no_wider_than_a_terminal_that_its_words_fit_into(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    table = Table("uuid", "why")
    console.add_row(table, UUID, 4 * REASON)
    console.show_table(table)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).splitlines()
    assert 70 < max(map(len, lines)) <= 80


def test_in_a_terminal_that_its_words_do_not_fit_into_rows_stand_below_each_other(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    table = Table("number", "uuid", "LMS", "submission id", "why")
    console.add_row(table, "1", UUID, "", NUMBER, REASON)
    console.add_row(table, "2", UUID, "https://lms.example", NUMBER, "[bold]")
    console.show_table(table)
    assert capsys.readouterr().out.splitlines() == [
        "number         1",
        f"uuid           {UUID}",
        f"submission id  {NUMBER}",
        f"why            {REASON}",
        "",
        "number         2",
        f"uuid           {UUID}",
        "LMS            https://lms.example",
        f"submission id  {NUMBER}",
        "why            [bold]",
        "",
    ]


@pytest.mark.parametrize("columns", [20, 60, 100])
def test_a_length_of_time_stands_in_one_line(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    table = Table("time", *console.in_one_line("after"), "why")
    console.add_row(table, "2026-05-04 10:00:00.000Z", "1 min 56 s", REASON)
    console.show_table(table)
    assert "1 min 56 s" in capsys.readouterr().out


def test_what_there_is_beyond_the_longest_words_is_shared_out_by_need() -> None:
    needs = [Measurement(5, 5), Measurement(3, 13), Measurement(4, 34)]
    assert console.shared_out(needs, 0) == [5, 3, 4]
    assert console.shared_out(needs, 20) == [5, 8, 19]
    assert console.shared_out(needs, 100) == [5, 13, 34]
