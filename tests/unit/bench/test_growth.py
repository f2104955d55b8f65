"""What `make bench` says of a growing backlog."""

from bench.growth import Stage, as_table, rows

STAGES = [
    Stage(1_000, 60.0, submits=[3.0, 2.0], polls=[4.0, 5.0]),
    Stage(1_000_000, 140.0, submits=[2.5, 2.2], polls=[6.0, 5.0]),
]


def test_each_backlog_is_beside_the_least_in_the_best_round_of_both() -> None:
    least, most = rows(STAGES)
    assert (least["submit_times"], least["poll_times"]) == (1.0, 1.0)
    assert (most["submit_p50_ms"], most["submit_times"]) == (2.2, 1.1)
    assert (most["poll_p50_ms"], most["poll_times"]) == (5.0, 1.25)


def test_growth_beyond_the_goal_is_marked() -> None:
    shown = [list(column.cells)[1] for column in as_table(STAGES).columns]
    assert shown == ["1,000,000", "2.20", "[green]1.10[/]", "5.00", "[red]1.25[/]", "1.2", "140"]
