"""What retiring decides."""

from datetime import UTC, datetime, timedelta

import pytest

from broker_setup.ledger.answers import Standing
from broker_setup.operating.retire_plan import STAYS, Tally, Verdict, judge
from broker_setup.wire.messages import Submission

BEFORE = datetime(2025, 1, 31, 12, tzinfo=UTC)
OLD = Submission(32 * "0", "openedx", "work", "sealed", submitted_at=BEFORE - timedelta(seconds=1))
NEW = Submission(32 * "1", "openedx", "work", "sealed", submitted_at=BEFORE)


def test_an_old_one_that_nobody_grades_is_retired_and_a_newer_one_stays() -> None:
    assert judge(OLD, Standing.FREE, BEFORE) is Verdict.RETIRE
    assert judge(NEW, Standing.FREE, BEFORE) is Verdict.NEWER


@pytest.mark.parametrize("submission", [OLD, NEW])
def test_what_the_ledger_says_comes_first(submission: Submission) -> None:
    assert judge(submission, Standing.LEASED, BEFORE) is Verdict.LEASED
    assert judge(submission, Standing.CLOSED, BEFORE) is Verdict.CLOSED
    assert judge(submission, Standing.SUPERSEDED, BEFORE) is Verdict.SUPERSEDED


def test_what_is_not_old_or_not_free_stays() -> None:
    assert {Verdict.NEWER, Verdict.LEASED, Verdict.UNREADABLE} == STAYS


def test_what_was_met_is_counted_with_the_oldest_and_the_newest() -> None:
    tally = Tally()
    for seconds in (5, 9, 2):
        old = Submission(32 * "0", "openedx", "", "", submitted_at=BEFORE - timedelta(seconds=seconds))
        tally.note(Verdict.RETIRE, old)
    for verdict in (Verdict.NEWER, Verdict.LEASED, Verdict.UNREADABLE, Verdict.CLOSED, Verdict.SUPERSEDED):
        tally.note(verdict, None)
    assert (tally.met, tally.newer, tally.leased, tally.unreadable, tally.cleared) == (3, 1, 1, 1, 2)
    assert tally.seen == 8
    assert (tally.oldest, tally.newest) == (BEFORE - timedelta(seconds=9), BEFORE - timedelta(seconds=2))
