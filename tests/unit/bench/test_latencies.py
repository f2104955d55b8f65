"""What `make bench` says of a caller's wait under a burden."""

from rich.table import Table

from bench.latencies import Latency, as_table

SLOW = Latency("put_result p99", "an LMS that takes 3 s", without=10.0, burdened=12.5, at_most=1.2)
HELD = Latency("get_submission p50", "1,000 long polls held", without=2.0, burdened=2.6, at_most=1.3)


def row(table: Table, number: int) -> list[object]:
    return [list(column.cells)[number] for column in table.columns]


def test_a_wait_is_so_many_times_that_without_the_burden() -> None:
    assert SLOW.times == 1.25
    assert HELD.as_dict() == {
        "call": "get_submission p50",
        "burden": "1,000 long polls held",
        "without_ms": 2.0,
        "with_ms": 2.6,
        "times": 1.3,
        "at_most": 1.3,
    }


def test_more_than_the_goal_is_marked() -> None:
    table = as_table([SLOW, HELD])
    assert row(table, 0) == ["put_result p99", "an LMS that takes 3 s", "10.00", "12.50", "[red]1.25[/]", "1.2"]
    assert row(table, 1)[4] == "[green]1.30[/]"
