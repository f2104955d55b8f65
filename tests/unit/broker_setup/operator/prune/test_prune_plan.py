"""Which files may go: those of what has ended for long enough, and those that nobody can fetch."""

from collections.abc import Sequence

import pytest

from broker_setup.ledger.events import AnyEvent, Delivered, Undeliverable
from broker_setup.ledger.frames import Frame, new_frame_id
from broker_setup.operator.prune.plan import PrunePlan
from broker_setup.upload_store import file_key, submission_of
from tests.support.ledger_events import graded, leased, parked, redriven, released, retired, submitted, superseded

DAY = 86_400.0
NOW = 1000 * DAY
UUID = submitted(1, 0).submission.hex()


def plan(events: Sequence[AnyEvent]) -> PrunePlan:
    made = PrunePlan(NOW - 3 * DAY, NOW - 365 * DAY, {bytes.fromhex(UUID)})
    made.take(Frame(new_frame_id(), "writer", list(events)))
    return made


def at(days_ago: float) -> float:
    return NOW - days_ago * DAY


def called_back(days_ago: float) -> AnyEvent:
    return Delivered(at(days_ago), bytes.fromhex(UUID), 1)


ENDS: dict[str, list[AnyEvent]] = {
    "graded": [submitted(1, at(5)), leased(1, at(5), "k"), graded(1, at(4), "k")],
    "superseded": [submitted(1, at(5)), superseded(1, at(4), by=2)],
    "retired": [submitted(1, at(5)), retired(1, at(4))],
    "discarded": [submitted(1, at(5)), parked(1, at(5)), called_back(5), retired(1, at(4))],
    "redriven and graded": [submitted(1, at(5)), parked(1, at(5)), redriven(1, at(5), 1), graded(1, at(4), "k")],
    "delivered for an AMQP grader": [submitted(1, at(5)), Delivered(at(4), bytes.fromhex(UUID), 1)],
    "undeliverable for an AMQP grader": [submitted(1, at(5)), Undeliverable(at(4), bytes.fromhex(UUID), "x")],
}
STAYS: dict[str, list[AnyEvent]] = {
    "unknown": [],
    "waiting": [submitted(1, at(5))],
    "leased": [submitted(1, at(5)), leased(1, at(4), "k")],
    "released": [submitted(1, at(5)), leased(1, at(5), "k"), released(1, at(4), "k")],
    "parked": [submitted(1, at(5)), parked(1, at(4))],
    "parked, and its student told": [submitted(1, at(5)), parked(1, at(4)), called_back(4)],
    "parked, and its student told before": [submitted(1, at(5)), called_back(4), parked(1, at(4))],
    "parked, and graded too late": [submitted(1, at(5)), parked(1, at(5)), graded(1, at(4), "k")],
    "redriven": [submitted(1, at(5)), parked(1, at(5)), called_back(5), redriven(1, at(4), 1)],
    "redriven before its student was told": [
        submitted(1, at(5)),
        parked(1, at(5)),
        redriven(1, at(5), 1),
        called_back(4),
    ],
    "parked again": [
        submitted(1, at(5)),
        parked(1, at(5)),
        redriven(1, at(5), 1),
        parked(1, at(4), redriven=1),
        called_back(4),
    ],
    "graded just now": [submitted(1, at(5)), leased(1, at(5), "k"), graded(1, at(2), "k")],
    "another one": [submitted(2, at(5)), leased(2, at(5), "k"), graded(2, at(4), "k")],
}


@pytest.mark.parametrize("events", ENDS.values(), ids=ENDS)
def test_files_of_what_ended_long_ago_may_go(events: list[AnyEvent]) -> None:
    assert plan(events).may_go(file_key(UUID, 0), at(5))
    assert plan(events).may_go(file_key(UUID, 31), at(5))


@pytest.mark.parametrize("events", STAYS.values(), ids=STAYS)
def test_files_of_what_has_not_ended_stay(events: list[AnyEvent]) -> None:
    assert not plan(events).may_go(file_key(UUID, 0), at(364))


@pytest.mark.parametrize("events", STAYS.values(), ids=STAYS)
def test_files_that_nobody_can_fetch_may_go(events: list[AnyEvent]) -> None:
    assert plan(events).may_go(file_key(UUID, 0), at(366))


@pytest.mark.parametrize(
    "key", ["", "x", "ab", UUID, f"{UUID}/0", f"ab/{UUID}", f"ab/{UUID}/x", f"ab/{UUID.upper()}G/0"]
)
def test_files_that_are_not_ours_stay(key: str) -> None:
    assert submission_of(key) is None
    assert not plan(ENDS["graded"]).may_go(key, at(1000))


def test_a_key_names_its_submission() -> None:
    assert submission_of(file_key(UUID, 7)) == UUID


def test_nothing_is_kept_of_submissions_without_files() -> None:
    without = plan([graded(number, at(4), "k") for number in range(2, 1000)])
    assert not any([without._ended, without._called_back, without._parked, without._redriven])
