"""What `make bench` makes of its rounds, and how it shows that a goal is missed."""

import pytest
from rich.console import Console
from rich.table import Table

from bench.figures import Comparison, as_table, best, figure
from bench.pace import Pace

SUBMITS = Comparison("submits", "submits over HTTP", "confirmed publishes", goal=0.7, at_once=64, cpu_goal=150.0)


def shown(table: Table, *, colours: bool = False) -> str:
    console = Console(width=80, force_terminal=colours, color_system="standard" if colours else None)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_the_quickest_round_counts_and_the_least_cpu_time_of_any() -> None:
    assert best([Pace(10, 5.0, 9.0, 400.0), Pace(30, 2.0, 3.0, 420.0)]) == Pace(30, 2.0, 3.0, 400.0)


def test_a_ratio_is_of_the_best_rounds_of_both_sides() -> None:
    made = figure(SUBMITS, [Pace(70, cpu=140.0), Pace(20, cpu=900.0)], [Pace(50), Pace(100, cpu=80.0)])
    told = made.as_dict()
    assert (told["ratio"], told["cpu_us"], told["goal_cpu_us"]) == (0.7, 140.0, 150.0)


@pytest.mark.parametrize(("ours", "missed"), [(Pace(70, cpu=150.0), 0), (Pace(69, cpu=151.0), 2)])
def test_a_goal_that_is_missed_is_red(ours: Pace, missed: int) -> None:
    assert shown(as_table([figure(SUBMITS, [ours], [Pace(100)])]), colours=True).count("\x1b[31m") == missed


def test_the_largest_figures_are_shown_whole_within_80_columns() -> None:
    name = "AMQP grader in threads"
    compared = Comparison("threads", name, "consume, publish, ack", goal=0.9, at_once=16, cpu_goal=150.0)
    text = shown(as_table([figure(compared, [Pace(12_345, 1234.5, 1234.5, 1234.5)], [Pace(98_765, cpu=1234.5)])]))
    assert "…" not in text
    for part in (name, "12,345", "98,765", "1234.5", "0.12", "0.90"):
        assert part in text
