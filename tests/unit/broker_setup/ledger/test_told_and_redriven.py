"""The callback of the notice by which a student hears that a submission was parked is not that of a result."""

import pytest

from broker_setup.ledger.events import AnyEvent, Delivered, Undeliverable
from broker_setup.ledger.frames import Frame, new_frame_id
from broker_setup.operator.backlog import Backlog
from broker_setup.operator.trace.history import Timeline
from tests.support.ledger_events import graded, parked, redriven, submitted, uuid_of

TOLD = Delivered(3.0, uuid_of(1), 1)
IN_VAIN = Undeliverable(3.0, uuid_of(1), "the LMS is not there")


def standing(*events: AnyEvent) -> str:
    timeline = Timeline(uuid_of(1))
    for event in events:
        timeline.add(event, "writer")
    return timeline.standing(1_000.0)


def oldest(*events: AnyEvent) -> float | None:
    backlog = Backlog()
    backlog.take(Frame(new_frame_id(), "writer", list(events)))
    return backlog.oldest(1_000.0).get("openedx")


@pytest.mark.parametrize("told", [TOLD, IN_VAIN])
@pytest.mark.parametrize("when", ["before the redrive", "after it"])
def test_what_was_parked_told_of_and_redriven_waits(told: AnyEvent, when: str) -> None:
    again = redriven(1, 4.0)
    events = [submitted(1, 1.0), parked(1, 2.0), *((told, again) if when == "before the redrive" else (again, told))]
    assert standing(*events) == "waiting"
    assert oldest(*events) == 4.0


def test_its_result_is_told_of_like_any_other() -> None:
    events: list[AnyEvent] = [submitted(1, 1.0), parked(1, 2.0), TOLD, redriven(1, 4.0), graded(1, 5.0, "k")]
    assert standing(*events) == "settled"
    assert standing(*events, Delivered(6.0, uuid_of(1), 1)) == "settled, delivered"
    assert oldest(*events) is None
