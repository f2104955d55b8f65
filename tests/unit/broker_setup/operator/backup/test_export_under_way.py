"""What must be in an export: what the ledger has as under way when it begins, and what of that has not ended."""

from collections.abc import Sequence

import pytest

from broker_setup.ledger.events import (
    AnyEvent,
    Delivered,
    Discarded,
    Graded,
    Leased,
    Parked,
    Redriven,
    Retired,
    Submitted,
    Superseded,
)
from broker_setup.operator.backup.captured import Captured, Form, Found
from broker_setup.operator.backup.under_way import NOTED_SECONDS, UnderWay
from tests.support.ledger_events import uuid_of

BEGAN = 1000.0
ONE, TWO, THREE = uuid_of(1), uuid_of(2), uuid_of(3)
SUBMITTED = Submitted(900.0, ONE, "openedx")
DELIVERED = Delivered(950.0, ONE, 1)


def missing(
    before: Sequence[AnyEvent], meanwhile: Sequence[AnyEvent] | None = None, found: Sequence[Captured] = ()
) -> set[bytes]:
    under_way = UnderWay(BEGAN)
    under_way.take_before(before)
    under_way.take_meanwhile(meanwhile or [])
    met = Found()
    for each in found:
        met.add(each)
    return {submission for submission, _ in under_way.missing(met)}


def met_as(form: Form, uuid: bytes = ONE, redriven: int = 0) -> Captured:
    return Captured("queue", 0, form, uuid, redriven, b"")


@pytest.mark.parametrize(
    "event",
    [
        SUBMITTED,
        Leased(900.0, ONE, "openedx", b"", b"key", 960.0, "", 1),
        Graded(900.0, ONE, "openedx", b"", b"key", b""),
        Parked(900.0, ONE, "openedx", b"", "failed"),
        Redriven(900.0, ONE, "openedx", b"", 1),
    ],
)
def test_whatever_tells_of_a_submission_asks_for_it(event: AnyEvent) -> None:
    assert missing([event]) == missing([event], found=[met_as(Form.NOTICE)]) == {ONE}
    assert missing([event], found=[met_as(Form.RESULT)]) == set()


def test_what_was_graded_before_is_there_as_a_result_and_not_as_its_delivery_that_is_debris() -> None:
    graded: Sequence[AnyEvent] = [SUBMITTED, Graded(940.0, ONE, "openedx", b"", b"key", b"")]
    assert missing(graded, found=[met_as(Form.WORK)]) == {ONE}
    assert missing(graded, found=[met_as(Form.UNREAD)]) == set()


def test_what_was_parked_before_is_there_parked_or_redriven_and_not_as_its_delivery_that_is_debris() -> None:
    parked: Sequence[AnyEvent] = [SUBMITTED, Parked(940.0, ONE, "openedx", b"", "failed", 1)]
    assert missing(parked, found=[met_as(Form.WORK, redriven=1)]) == {ONE}
    assert missing(parked, found=[met_as(Form.WORK, redriven=2)]) == set()
    assert missing(parked, found=[met_as(Form.PARKED)]) == set()


def test_what_waited_and_was_parked_or_graded_since_is_there_in_any_form() -> None:
    assert missing([SUBMITTED], found=[met_as(Form.PARKED)]) == missing([SUBMITTED], found=[met_as(Form.WORK)]) == set()


def test_what_the_lms_has_need_not_be_there() -> None:
    assert missing([SUBMITTED, DELIVERED]) == missing([SUBMITTED], [DELIVERED]) == set()


def test_a_delivered_notice_is_no_end() -> None:
    assert missing([SUBMITTED, Delivered(950.0, ONE, 1, notice=True)]) == {ONE}
    assert missing([SUBMITTED], [Delivered(950.0, ONE, 1, notice=True)]) == {ONE}


@pytest.mark.parametrize("end", [Retired(950.0, ONE, "openedx", b"", "old"), Discarded(950.0, ONE, "old")])
def test_what_an_operator_ended_need_not_be_there(end: AnyEvent) -> None:
    assert missing([SUBMITTED, end]) == missing([SUBMITTED], [end]) == set()


def test_what_is_noted_behind_its_own_end_is_not_under_way_again() -> None:
    graded = Graded(940.0, ONE, "openedx", b"", b"key", b"")
    assert missing([DELIVERED, SUBMITTED]) == missing([SUBMITTED, DELIVERED, graded]) == set()


def test_what_was_ended_and_redriven_is_under_way() -> None:
    assert missing([SUBMITTED, DELIVERED, Redriven(960.0, ONE, "openedx", b"", 1)]) == {ONE}


def test_a_submit_that_was_answered_before_and_is_noted_a_moment_later_is_asked_for() -> None:
    assert missing([], [SUBMITTED]) == {ONE}
    assert missing([], [Submitted(BEGAN + NOTED_SECONDS + 1, ONE, "openedx")]) == set()


def test_what_was_superseded_meanwhile_asks_for_what_took_its_place() -> None:
    chain = [Superseded(1001.0, ONE, "openedx", TWO), Superseded(1002.0, TWO, "openedx", THREE)]
    assert missing([SUBMITTED], chain) == {ONE}
    assert missing([SUBMITTED], chain, found=[met_as(Form.WORK, THREE)]) == set()
    assert missing([SUBMITTED], [*chain, Delivered(1003.0, THREE, 1)]) == set()


def test_two_that_name_each_other_as_the_newer_one_end_no_loop() -> None:
    circle = [Superseded(1001.0, ONE, "openedx", TWO), Superseded(1002.0, TWO, "openedx", ONE)]
    assert missing([SUBMITTED], circle) == {ONE}


def test_it_is_counted_by_course_queue() -> None:
    under_way = UnderWay(BEGAN)
    under_way.take_before([SUBMITTED, Submitted(901.0, TWO, "openedx"), Submitted(902.0, THREE, "other")])
    assert under_way.by_queue() == {"openedx": 2, "other": 1}
