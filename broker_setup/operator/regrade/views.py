"""What a person sees of a regrade: what has changed, the largest first, and what all adds up to."""

from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from broker_setup.operator.console import add_row, show_table
from broker_setup.operator.regrade.comparison import Row, summary_of
from broker_setup.operator.regrade.plan import RegradePlan
from broker_setup.visible import numbered

MOST_SHOWN = 40


def print_comparison(plan: RegradePlan, rows: Sequence[Row], csv_file: Path | None) -> None:
    """Print the rows that have changed, and the summary."""
    changed = sorted((row for row in rows if row.is_changed), key=lambda row: -abs(row.difference or 0))
    if changed:
        table = Table("submission", "student", "callback URL", "old", "new", "difference", "note")
        for row in changed[:MOST_SHOWN]:
            scores = _number(row.old.score), _number(row.new.score if row.new else None)
            add_row(table, row.submission, row.student, row.url, *scores, _signed(row.difference), row.note)
        show_table(table)
        if len(changed) > MOST_SHOWN:
            print(f"and {len(changed) - MOST_SHOWN} more: --csv FILE has them all")
    summary = summary_of(rows)
    print(
        f"{summary.regraded} of {numbered(summary.submissions, 'submission')} graded again: {summary.changed} changed, "
        f"{summary.up} up, {summary.down} down, {summary.same} the same, {summary.without_score} without a score"
    )
    if summary.mean_difference is not None:
        means = f"{_number(summary.mean_old)} before, {_number(summary.mean_new)} now"
        print(f"mean score {means}, mean difference {_signed(summary.mean_difference)}")
    print(f"the LMS heard nothing of it; run {plan.run}" + (f", all rows in {csv_file}" if csv_file else ""))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+g}"
