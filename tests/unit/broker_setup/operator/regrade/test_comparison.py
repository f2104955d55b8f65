"""Old scores beside new ones: what has changed, and what a spreadsheet is given."""

import pytest

from broker_setup.archive.scores import Score
from broker_setup.operator.regrade.comparison import COLUMNS, Row, cells_of, summary_of

NONE = Score(note="the reply is no JSON")


def row(old: Score, new: Score | None, student: str = "ann") -> Row:
    return Row("ab" * 16, 0.0, student, "http://lms/score_update", old, new)


def scored(old: float, new: float) -> Row:
    return row(Score(old), Score(new))


def test_a_difference_is_what_people_read_and_no_sum_of_binary_fractions() -> None:
    assert scored(0.1, 0.3).difference == 0.2
    assert not scored(0.1 + 0.2, 0.3).is_changed


def test_a_score_that_came_or_went_is_a_change_and_what_is_not_there_yet_is_none() -> None:
    assert row(NONE, Score(1.0)).is_changed
    assert row(Score(1.0), NONE).is_changed
    assert not row(NONE, NONE).is_changed
    assert not row(Score(1.0), None).is_changed
    assert row(NONE, None).note == "before: the reply is no JSON; now: nothing was found yet"


def test_all_adds_up() -> None:
    rows = [scored(0, 1), scored(1, 0.5), scored(1, 1), row(Score(1.0), NONE), row(Score(1.0), None)]
    summary = summary_of(rows)
    assert (summary.submissions, summary.regraded, summary.changed) == (5, 4, 3)
    assert (summary.up, summary.down, summary.same, summary.without_score) == (1, 1, 1, 1)
    assert (summary.mean_old, summary.mean_new, summary.mean_difference) == (0.666667, 0.833333, 0.166667)
    assert summary_of([]).mean_difference is None


@pytest.mark.parametrize("student", ["=HYPERLINK(1)", "+1", "-1", "@cmd", "\t=1"])
def test_what_a_stranger_wrote_is_no_formula_in_a_spreadsheet(student: str) -> None:
    cells = cells_of(row(Score(1.0), Score(0.5), student))
    assert cells["student"] == f"'{student}"
    assert (cells["old_score"], cells["new_score"], cells["difference"]) == ("1", "0.5", "-0.5")
    assert tuple(cells) == COLUMNS
