"""What the LMS has a result of is closed, whether or not a gateway has written down that it was graded."""

from broker_setup.ledger.answers import Refusal, Standing, Take
from broker_setup.ledger.events import AnyEvent, Delivered
from tests.support.ledger_events import graded, id_of, leased, parked, redriven, state_after, submitted, uuid_of

DELIVERED = Delivered(70, uuid_of(1), 1)
NOTICE = Delivered(70, uuid_of(1), 1, notice=True)


def test_a_result_that_was_delivered_and_not_written_down_ends_the_next_graders_lease() -> None:
    # The first one's result is with the LMS; its gateway died before it wrote that down, and the lease ran out.
    state = state_after(submitted(1, 0), leased(1, 1, "a", until=61), leased(1, 65, "b", until=125, attempt=2))
    outcome = state.apply(DELIVERED)
    assert outcome.gone == [("openedx", uuid_of(1))]
    assert state.standing(uuid_of(1), 71) is Standing.CLOSED
    assert isinstance(state.may_take(id_of(1), "b", b"d", 72), Refusal)
    assert not state.apply(leased(1, 200, "c")).valid


def test_a_gateway_that_writes_a_result_down_after_its_delivery_hears_that_it_counts() -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "a"), DELIVERED)
    assert state.apply(graded(1, 71, "a")).valid
    assert state.may_take(id_of(1), "a", b"d", 72) is Refusal.REPEAT
    assert not state.apply(graded(1, 73, "b", b"other")).valid


def test_a_grader_that_was_told_to_try_again_is_told_that_its_result_has_come_once_the_lms_has_it() -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "a"), DELIVERED)
    assert state.may_take(id_of(1), "a", b"d", 72) is Refusal.REPEAT
    assert state.may_take(id_of(1), "b", b"d", 72) is Refusal.WRONG_KEY
    assert not state.apply(leased(1, 73, "c")).valid


def test_where_two_graders_had_it_nobody_knows_whose_result_the_lms_has_and_the_second_is_told_no() -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "a", until=61), leased(1, 65, "b", until=125, attempt=2))
    state.apply(DELIVERED)
    assert state.may_take(id_of(1), "b", b"d", 72) is Refusal.UNKNOWN_SUBMISSION


def test_what_turns_out_to_have_been_a_notice_leaves_the_next_graders_result_welcome() -> None:
    state = state_after(submitted(1, 0), leased(1, 1, "a"), DELIVERED, parked(1, 71), redriven(1, 80))
    assert state.apply(leased(1, 90, "b")).valid
    assert isinstance(state.may_take(id_of(1), "b", b"d", 91), Take)


def test_an_amqp_graders_result_may_be_noted_before_or_after_its_delivery() -> None:
    for events in ((graded(1, 69, ""), DELIVERED), (DELIVERED, graded(1, 71, ""))):
        state = state_after(submitted(1, 0), *events)
        assert state.standing(uuid_of(1), 72) is Standing.CLOSED
        assert state.expected_in("openedx", 72) == 0


def test_a_students_notice_closes_nothing() -> None:
    state = state_after(submitted(1, 0), NOTICE)
    assert state.standing(uuid_of(1), 71) is Standing.FREE
    state = state_after(submitted(1, 0), parked(1, 60), redriven(1, 65), DELIVERED)
    assert state.standing(uuid_of(1), 71) is Standing.FREE, "a relay of 0.1.0 does not say that it was one"


def test_what_is_parked_after_its_notice_was_delivered_can_be_redriven() -> None:
    state = state_after(submitted(1, 0), DELIVERED, parked(1, 71))
    assert state.is_parked(uuid_of(1))
    assert state.apply(redriven(1, 80)).valid
    assert state.standing(uuid_of(1), 81) is Standing.FREE


def test_reading_it_twice_changes_nothing() -> None:
    log: list[AnyEvent] = [submitted(1, 0), leased(1, 1, "a"), DELIVERED, graded(1, 71, "a"), DELIVERED]
    once, twice = state_after(*log), state_after(*log, *log)
    assert once.may_take(id_of(1), "a", b"d", 75) is twice.may_take(id_of(1), "a", b"d", 75) is Refusal.REPEAT
