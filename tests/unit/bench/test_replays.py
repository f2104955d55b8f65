"""What `make bench` says of replays."""

from bench.replays import Ledger, Replay, as_table, best

BUSY = Ledger("busy", 1_000_000, seconds=12.0, mebibytes=200.0)


def test_of_several_replays_the_least_of_each_counts() -> None:
    assert best([Replay(BUSY, 11.0, 210.0), Replay(BUSY, 13.0, 190.0)]) == Replay(BUSY, 11.0, 190.0)


def test_a_replay_tells_a_program_its_goals() -> None:
    told = Replay(BUSY, 11.0, 210.0).as_dict()
    assert told == {
        "kind": "busy",
        "submissions": 1_000_000,
        "seconds": 11.0,
        "mebibytes": 210.0,
        "goal_seconds": 12.0,
        "goal_mebibytes": 200.0,
    }


def test_a_goal_that_is_missed_is_marked() -> None:
    table = as_table([Replay(BUSY, 11.0, 210.0)])
    assert [next(iter(column.cells)) for column in table.columns[1:]] == ["[green]11.0[/]", "12", "[red]210[/]", "200"]
