"""Of each submission an export has the farthest form that it met, and of the ledger's end what agrees with that."""

from collections.abc import Sequence

from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import Act, Acted, AnyEvent, Delivered, Graded, Leased, Parked, Submitted, Superseded
from broker_setup.operator.backup.captured import Captured, Form
from broker_setup.operator.backup.choosing import Chosen, choose
from broker_setup.operator.backup.under_way import UnderWay
from tests.support.ledger_events import state_after, uuid_of

ONE, TWO = uuid_of(1), uuid_of(2)
GRADED = Graded(1002.0, ONE, "openedx", b"", b"key", b"")
PARKED = Parked(1002.0, ONE, "openedx", b"", "failed")
LEASED = Leased(1001.0, ONE, "openedx", b"", b"key", 1060.0, "", 1)


def met(line: int, form: Form, uuid: bytes = ONE, *, redriven: int = 0, body: bytes = b"") -> Captured:
    return Captured("queue", line, form, uuid, redriven, b"%s %s %d %s" % (uuid, form.name.encode(), redriven, body))


def chosen(*all_met: Captured, meanwhile: Sequence[AnyEvent] | None = None) -> Chosen:
    under_way = UnderWay(1000.0)
    under_way.take_meanwhile(meanwhile or [])
    return choose(all_met, under_way)


def lines(*all_met: Captured, meanwhile: Sequence[AnyEvent] | None = None) -> set[int]:
    return chosen(*all_met, meanwhile=meanwhile).lines.get("queue", set())


def test_a_result_stands_for_its_work_whichever_is_met_last() -> None:
    work, result = met(0, Form.WORK), met(1, Form.RESULT)
    assert lines(work, result) == lines(result, work) == {1}


def test_what_anybody_may_have_written_takes_no_work_away() -> None:
    assert lines(met(0, Form.WORK), met(1, Form.UNREAD)) == {0, 1}


def test_of_copies_of_one_thing_the_last_counts() -> None:
    assert lines(met(0, Form.RESULT), met(1, Form.RESULT)) == {1}


def test_two_results_that_say_something_else_are_both_there() -> None:
    assert lines(met(0, Form.RESULT, body=b"first"), met(1, Form.RESULT, body=b"amended")) == {0, 1}


def test_what_is_parked_stands_before_its_delivery_and_behind_its_redriven_copy() -> None:
    parked, debris = met(0, Form.PARKED), met(1, Form.WORK)
    assert lines(parked, debris) == lines(debris, parked) == {0}
    assert lines(parked, met(2, Form.WORK, redriven=1)) == {2}


def test_a_notice_goes_with_what_is_parked_or_alone_and_not_with_what_waits_again() -> None:
    notice = met(0, Form.NOTICE)
    assert lines(notice) == {0}
    assert lines(notice, met(1, Form.PARKED)) == {0, 1}
    assert lines(notice, met(1, Form.PARKED), met(2, Form.WORK, redriven=1)) == {2}


def test_what_reached_the_lms_meanwhile_is_left_out_with_all_that_was_met_of_it() -> None:
    assert lines(met(0, Form.WORK), met(1, Form.RESULT), meanwhile=[Delivered(1003.0, ONE, 1)]) == set()


def test_what_was_superseded_meanwhile_is_left_out_if_the_newer_one_is_there() -> None:
    superseded = [Superseded(1001.0, ONE, "openedx", TWO)]
    assert lines(met(0, Form.WORK), meanwhile=superseded) == {0}
    assert lines(met(0, Form.WORK), met(1, Form.WORK, TWO), meanwhile=superseded) == {1}


def test_strangers_messages_are_all_there() -> None:
    strangers = [Captured("queue", number, Form.OTHER, b"", 0, bytes([number])) for number in range(3)]
    assert lines(*strangers) == {0, 1, 2}


def test_of_what_waits_the_ledger_tells_no_end() -> None:
    told = chosen(met(0, Form.WORK)).told
    assert told(LEASED) == LEASED
    assert told(PARKED) is None


def test_what_waits_and_was_handed_in_later_is_leased_to_nobody() -> None:
    """Its grader has had its answer: nobody is to wait until that lease has run out."""
    released = chosen(met(0, Form.WORK)).told(GRADED)
    assert released
    state = state_after(LEASED, released)
    assert state.standing(ONE, GRADED.at) is Standing.FREE


def test_of_what_is_graded_or_parked_and_of_what_has_ended_it_tells_all() -> None:
    assert chosen(met(0, Form.WORK), met(1, Form.RESULT)).told(GRADED) == GRADED
    assert chosen(met(0, Form.PARKED)).told(PARKED) == PARKED
    assert chosen(met(0, Form.WORK), meanwhile=[Delivered(1003.0, ONE, 1)]).told(GRADED) == GRADED


def test_of_what_came_later_and_was_not_met_it_tells_nothing() -> None:
    paused = Acted(1001.0, b"", Act.PAUSED, "ned", "openedx")
    assert chosen(met(0, Form.WORK)).told(Submitted(1001.0, TWO, "openedx")) is None
    assert chosen(met(0, Form.WORK)).told(paused) == paused
