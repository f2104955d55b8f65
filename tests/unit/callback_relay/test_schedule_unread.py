"""What comes unread, from graders that may flood, beside all else: each kind has its own room, and loses only that."""

from broker_setup.wire.results import NO_TRIES
from callback_relay.evidence import SUSPECTS
from callback_relay.job import Job
from callback_relay.orders import Order, Post, Settle
from callback_relay.outcome import Answered
from callback_relay.schedule import Schedule
from callback_relay.verdict import Delivered, Retry
from tests.support.schedules import ANSWERED_503, HIGH_WATER, PER_ORIGIN, ROOM, fail, job, of_one, schedule_of

UNREAD_ROOM = 8
QUICK = [f"http://quick-{number}" for number in range(UNREAD_ROOM)]


def unread(url: str | None = None, origin: str = "http://lms", submission: str | None = None) -> Job:
    each = job(url, origin, submission)
    each.unread = True
    return each


def posted(orders: list[Order[Job]]) -> list[Job]:
    return [order.job for order in orders if isinstance(order, Post)]


def test_what_comes_unread_has_room_of_its_own_and_takes_none_of_the_others() -> None:
    schedule = schedule_of(ROOM, unread_room=8, listed=["http://lms"])
    strangers = [unread(origin=f"http://slow-{number}") for number in range(8)]
    for each in strangers:
        assert posted(schedule.arrive(each, 0.0)) == [each]
    others = [job() for _ in range(PER_ORIGIN)]
    assert [each for other in others for each in posted(schedule.arrive(other, 0.0))] == others
    more = [schedule.arrive(job(), 0.0) for _ in range(HIGH_WATER - PER_ORIGIN)]
    assert not any(more), "nothing of it has to go"


def test_a_slow_lms_goes_to_a_rung_as_soon_as_what_comes_unread_of_it_fills_that_share() -> None:
    schedule = schedule_of(ROOM, unread_room=8)
    slow = [unread("http://slow/same", "http://slow") for _ in range(6)]
    [first] = [each for one in slow for each in posted(schedule.arrive(one, 0.0))]
    schedule.outcome(first, Answered(200), 10.0)  # it took 10 s
    schedule.ended(first, Delivered(), 10.0)
    arrived = [schedule.arrive(unread("http://slow/same", "http://slow"), 10.0) for _ in range(2)]
    assert [order for orders in arrived for order in orders if isinstance(order, Settle)]
    assert schedule.at_hand == 6, "three quarters of its share"


def fill_what_is_unread(schedule: Schedule[Job]) -> list[Order[Job]]:
    """Let as many come unread as there may be, all of which are under way; return what else was ordered."""
    quick = [unread(origin=origin) for origin in QUICK]
    orders = [order for each in quick for order in schedule.arrive(each, 10.0)]
    assert posted(orders) == quick
    return [order for order in orders if isinstance(order, Settle)]


def test_room_that_is_full_of_what_came_unread_sends_nothing_else_away() -> None:
    schedule = schedule_of(ROOM, unread_room=UNREAD_ROOM, listed=QUICK)
    first = job("http://slow/same", "http://slow")
    schedule.arrive(first, 0.0)
    for _ in range(5):
        assert not posted(schedule.arrive(job("http://slow/same", "http://slow"), 0.0))
    schedule.outcome(first, Answered(200), 10.0)  # it took 10 s
    schedule.ended(first, Delivered(), 10.0)
    assert not fill_what_is_unread(schedule)
    assert not schedule.tick(10.0)


def test_nor_what_waits_behind_one_that_is_back_soon() -> None:
    schedule = schedule_of(ROOM, unread_room=UNREAD_ROOM, listed=QUICK)
    first, second = of_one(), of_one(1)
    schedule.arrive(first, 9.0)
    fail(schedule, first, Retry(1, NO_TRIES, ANSWERED_503), 9.5)
    assert not schedule.arrive(second, 9.6)
    assert not fill_what_is_unread(schedule)


def test_nor_what_waits_here_for_an_lms_that_is_sick() -> None:
    schedule = schedule_of(ROOM, unread_room=UNREAD_ROOM, listed=QUICK)
    for number in range(SUSPECTS):
        each = job(f"http://sick/{number}", "http://sick")
        assert posted(schedule.arrive(each, float(number)))
        fail(schedule, each, now=float(number))
    assert schedule.paces["http://sick"].is_sick
    schedule.arrive(job(origin="http://sick"), 9.0)  # a probe
    assert not schedule.arrive(job(origin="http://sick"), 9.0)
    assert not fill_what_is_unread(schedule)


def test_a_full_room_sends_nothing_away_that_came_unread() -> None:
    schedule = schedule_of(ROOM, unread_room=UNREAD_ROOM, listed=QUICK)
    waits = [unread("http://slow/same", "http://slow") for _ in range(3)]
    for each in waits:
        schedule.arrive(each, 0.0)
    orders = [order for number in range(ROOM) for order in schedule.arrive(job(origin=f"http://{number}"), 10.0)]
    assert not [order for order in orders if order.job in waits]
