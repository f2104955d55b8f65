"""The original's table, in a database of SQLite."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broker_setup.errors import ArgumentError
from broker_setup.operator.import_legacy.errors import LegacyDatabaseError
from broker_setup.operator.import_legacy.table import TABLE, UNKNOWN_TIME, LegacyTable

COLUMNS = (
    "id, queue_name, xqueue_header, xqueue_body, s3_keys, s3_urls, arrival_time, pull_time, return_time, pullkey, "
    "grader_reply, lms_ack, retired"
)


def row(number: int, *, arrived: str | None = "2026-11-20 12:00:00", retired: bool = False) -> tuple[object, ...]:
    return (number, "math", "{}", f"work {number}", "", None, arrived, None, "0000-00-00", b"key", "reply", 1, retired)


def database(folder: Path, *rows: tuple[object, ...]) -> str:
    path = folder / "legacy.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"CREATE TABLE {TABLE} ({COLUMNS})")
        connection.executemany(f"INSERT INTO {TABLE} VALUES ({', '.join('?' * 13)})", rows)
    return f"sqlite:///{path}"


def test_rows_come_in_portions_in_the_order_of_their_ids_those_that_are_retired_on_request(tmp_path: Path) -> None:
    url = database(tmp_path, *(row(number, retired=number == 2) for number in (3, 1, 2, 4)))
    with LegacyTable(url) as table:
        assert (table.count(with_retired=False), table.count(with_retired=True), table.last_id) == (3, 4, 4)
        found = [[each.id for each in some] for some in table.portions(2, with_retired=True)]
        assert found == [[1, 2], [3, 4]]
        [portion] = table.portions(10, with_retired=False)
        assert [each.id for each in portion] == [1, 3, 4]


def test_times_are_of_utc_and_what_is_none_of_them_is_unknown(tmp_path: Path) -> None:
    with LegacyTable(
        database(tmp_path, row(1), row(2, arrived=None), row(3, arrived="2026-11-20T12:00:00+02:00"))
    ) as table:
        [portion] = table.portions(10, with_retired=False)
    arrived = [each.arrived_at for each in portion]
    assert arrived == [datetime(2026, 11, 20, 12, tzinfo=UTC), UNKNOWN_TIME, datetime(2026, 11, 20, 10, tzinfo=UTC)]
    first = portion[0]
    assert (first.pulled_at, first.returned_at, first.pull_key, first.file_urls) == (None, None, "key", "")
    assert (first.body, first.reply, first.is_acknowledged, first.is_retired) == ("work 1", "reply", True, False)


def test_without_the_work_there_is_of_a_reply_only_that_there_is_one(tmp_path: Path) -> None:
    with LegacyTable(database(tmp_path, row(1))) as table:
        [[found]] = table.portions(10, with_retired=False, with_work=False)
    assert (found.body, found.reply) == ("", "r")


def test_what_comes_meanwhile_is_left_out(tmp_path: Path) -> None:
    with LegacyTable(database(tmp_path, row(1))) as table:
        with closing(sqlite3.connect(tmp_path / "legacy.sqlite")) as connection, connection:
            connection.execute(f"INSERT INTO {TABLE} VALUES ({', '.join('?' * 13)})", row(2))
        [[found]] = table.portions(10, with_retired=False)
    assert found.id == 1


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("nonsense", "is no URL of a database"),
        ("nothing://host/name", "is no URL of a database"),
        ("mysql://user:p@ss@host/name", "%40"),
        ("sqlite:////nowhere/legacy.sqlite", "there is no file"),
    ],
)
def test_a_url_that_can_not_be_used_is_refused_and_no_password_quoted(url: str, words: str) -> None:
    with pytest.raises(ArgumentError, match=words) as refused:
        LegacyTable(url)
    assert "p@ss" not in str(refused.value)


def test_another_database_and_one_that_can_not_be_read_are_told_in_a_line(tmp_path: Path) -> None:
    other = tmp_path / "other.sqlite"
    sqlite3.connect(other).close()
    with pytest.raises(LegacyDatabaseError, match="has no table"):
        LegacyTable(f"sqlite:///{other}")
    other.write_bytes(b"no database at all" * 100)
    with pytest.raises(LegacyDatabaseError, match=r"can't be read: [^\n]*$"):
        LegacyTable(f"sqlite:///{other}")
