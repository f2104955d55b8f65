"""What retiring decides."""

from datetime import UTC, datetime, timedelta

import pytest

from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.frames import Frame, new_frame_id
from broker_setup.operator.backlog import Backlog
from broker_setup.operator.retire.plan import STAYS, Choice, Expectation, Plan, Tally, choose, expect
from tests.support.ledger_events import graded, leased, parked, redriven, released, retired, submitted

BEFORE = datetime(2025, 1, 31, 12, tzinfo=UTC)
OLD = BEFORE - timedelta(seconds=1)
NEW = BEFORE
# The same as seconds, and the moment of the question.
AT = BEFORE.timestamp()
NOW = AT + 3600


def test_an_old_one_that_nobody_grades_is_retired_and_a_newer_one_stays() -> None:
    assert choose(OLD, Standing.FREE, BEFORE) is Choice.RETIRE
    assert choose(NEW, Standing.FREE, BEFORE) is Choice.NEWER


@pytest.mark.parametrize("submission", [OLD, NEW])
def test_what_the_ledger_says_comes_first(submission: datetime) -> None:
    assert choose(submission, Standing.LEASED, BEFORE) is Choice.LEASED
    assert choose(submission, Standing.CLOSED, BEFORE) is Choice.CLOSED
    assert choose(submission, Standing.SUPERSEDED, BEFORE) is Choice.SUPERSEDED


def test_what_is_not_old_or_not_free_stays() -> None:
    assert {Choice.NEWER, Choice.LEASED, Choice.UNREADABLE} == STAYS


def test_what_was_met_is_counted_with_the_oldest_and_the_newest() -> None:
    tally = Tally()
    for seconds in (5, 9, 2):
        tally.note(Choice.RETIRE, BEFORE - timedelta(seconds=seconds))
    for choice in (Choice.NEWER, Choice.LEASED, Choice.UNREADABLE, Choice.CLOSED, Choice.SUPERSEDED):
        tally.note(choice, None)
    assert (tally.met, tally.newer, tally.leased, tally.unreadable, tally.cleared) == (3, 1, 1, 1, 2)
    assert tally.seen == 8
    assert (tally.oldest, tally.newest) == (BEFORE - timedelta(seconds=9), BEFORE - timedelta(seconds=2))


def expected(*events: AnyEvent, ready: int = 0) -> Expectation:
    backlog = Backlog()
    backlog.take(Frame(new_frame_id(), "writer", list(events)))
    return expect(backlog, Plan("openedx", BEFORE, "because", "ned", None), ready, NOW)


def test_the_ledger_tells_what_would_go_and_what_would_stay() -> None:
    expectation = expected(
        submitted(1, AT - 50.9, url="/1"),
        submitted(2, AT - 40, url="/2"),
        submitted(3, AT - 30, url="/3"),
        submitted(4, AT, url="/4"),
        submitted(5, AT - 20, url="/5", queue="another"),
        leased(2, AT - 35, "a", until=NOW + 1, url="/2"),
        leased(3, AT - 25, "b", until=NOW - 1, url="/3"),
        ready=3,
    )
    tally = expectation.tally
    assert (tally.met, tally.newer, tally.leased, tally.cleared, tally.retired) == (2, 1, 1, 0, 0)
    # Whole seconds, as the message has them.
    assert (tally.oldest, tally.newest) == (BEFORE - timedelta(seconds=51), BEFORE - timedelta(seconds=30))
    assert expectation.unaccounted == 0
    assert expectation.ledger_since == AT - 50.9


@pytest.mark.parametrize("end", [graded(1, AT - 5, "k"), retired(1, AT - 5), parked(1, AT - 5)])
def test_what_has_ended_is_not_met(end: AnyEvent) -> None:
    assert expected(submitted(1, AT - 9), leased(1, AT - 8, "k"), end).tally.seen == 0


def test_a_superseded_one_is_cleared_and_what_waits_for_its_delay_is_leased() -> None:
    delayed = released(2, AT - 4, "k", available_at=NOW + 60)
    expectation = expected(
        submitted(1, AT - 20), submitted(2, AT - 10), leased(2, AT - 5, "k"), delayed, submitted(3, AT - 9, url="/3")
    )
    assert (expectation.tally.met, expectation.tally.cleared, expectation.tally.leased) == (1, 1, 1)


def test_a_redriven_one_is_as_old_as_its_submit() -> None:
    assert expected(submitted(1, AT - 9), parked(1, AT - 5), redriven(1, AT + 5)).tally.met == 1
    # Of whose submit the ledger knows no more.
    assert expected(parked(1, AT - 5), redriven(1, AT + 5)).tally.oldest == BEFORE - timedelta(seconds=5)
    assert expected(redriven(1, AT + 5)).tally.newer == 1


def test_a_lease_of_what_the_ledger_does_not_tell_the_submit_of_stays_too() -> None:
    assert expected(leased(1, AT - 5, "k", until=NOW + 1)).tally.leased == 1
    assert expected(leased(1, AT - 5, "k", until=NOW + 1, queue="another")).tally.leased == 0


def test_what_the_broker_has_more_or_fewer_of_is_said_and_an_empty_ledger_begins_nowhere() -> None:
    assert expected(submitted(1, AT - 9), ready=3).unaccounted == 2
    assert expected(submitted(1, AT - 9), ready=0).unaccounted == -1
    assert expected(ready=4) == Expectation(Tally(), 4, None)
