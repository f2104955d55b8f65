"""Results that come late, or where the gateway has not read yet what decides on them: it asks the ledger first."""

import pytest

from broker_setup.errors import BrokerUnavailableError
from gateway.leasing.results import UnknownSubmissionError, WrongKeyError
from tests.support.desk import START, Desk
from tests.support.leasing import DELAY
from tests.support.ledger_events import extended, id_of, leased, released, submitted

# Late results.


async def test_a_late_result_is_taken_once_it_is_known_that_nobody_else_has_the_submission() -> None:
    desk = Desk()
    desk.now = START + DELAY
    await desk.put()
    assert desk.ledger.barriers == 1
    assert desk.publisher.bodies == [(b"reply", 0)]


async def test_a_late_result_is_refused_where_another_gateway_has_leased_the_submission_unheard() -> None:
    desk = Desk()
    desk.now = START + DELAY + 1
    desk.ledger.unread = [leased(1, START + DELAY, "next")]
    with pytest.raises(WrongKeyError):
        await desk.put()
    assert desk.publisher.bodies == []
    await desk.put(b"the next one's", key="next")
    assert desk.publisher.bodies == [(b"the next one's", 0)]


async def test_a_result_is_taken_where_its_lease_was_extended_unheard() -> None:
    desk = Desk()
    desk.now = START + DELAY + 1
    desk.ledger.unread = [extended(1, START + 50, "key", until=START + 2 * DELAY)]
    await desk.put()
    assert desk.publisher.bodies == [(b"reply", 0)]


async def test_an_old_key_is_refused_also_after_the_next_lease_ran_out() -> None:
    desk = Desk()
    desk.ledger.happens(leased(1, START + DELAY, "next", until=START + 2 * DELAY))
    desk.now = START + 3 * DELAY
    with pytest.raises(WrongKeyError):
        await desk.put()
    await desk.put(key="next")


async def test_a_late_result_is_refused_where_its_submission_was_superseded_unheard() -> None:
    desk = Desk()
    desk.now = START + DELAY + 1
    desk.ledger.unread = [submitted(2, desk.now)]
    with pytest.raises(WrongKeyError):
        await desk.put()
    assert desk.publisher.bodies == []


# Put at another gateway than the one that handed the work out.


async def test_a_result_of_a_lease_that_this_gateway_has_not_read_of_yet_is_taken() -> None:
    desk = Desk()
    desk.ledger.unread = [leased(2, START, "elsewhere", until=START + DELAY)]
    await desk.put(key="elsewhere", number=2)
    assert desk.publisher.bodies == [(b"reply", 0)]


async def test_a_result_of_a_second_lease_that_this_gateway_has_not_read_of_yet_is_taken() -> None:
    desk = Desk()
    desk.ledger.unread = [
        released(1, START, "key"),
        leased(1, START, "elsewhere", until=START + DELAY),
    ]
    await desk.put(key="elsewhere")
    assert desk.publisher.bodies == [(b"reply", 0)]


async def test_what_is_refused_is_refused_only_by_a_ledger_that_is_up_to_date() -> None:
    desk = Desk()
    with pytest.raises(WrongKeyError):
        await desk.put(key="other")
    assert desk.ledger.barriers == 1
    desk.ledger.away = True
    with pytest.raises(BrokerUnavailableError):
        await desk.put(key="other")
    with pytest.raises(BrokerUnavailableError):
        await desk.put(number=2)


async def test_a_lease_that_comes_to_light_late_is_hidden_from_who_may_not_reach_its_queue() -> None:
    desk = Desk()
    desk.ledger.unread = [leased(2, START, "elsewhere", until=START + DELAY)]
    with pytest.raises(UnknownSubmissionError):
        await desk.results.take(id_of(2), "elsewhere", b"reply", lambda queue: queue != "openedx")
    assert desk.publisher.bodies == []
