"""Order and share of results, with a clock and results of the test's own."""

import pytest

from broker_setup.wire.results import NO_TRIES
from callback_relay.job import Identity, Job
from callback_relay.lines import GRACE_SECONDS, MAX_IN_LINE
from callback_relay.orders import Post, Settle
from callback_relay.outcome import Answered
from callback_relay.schedule import BEHIND, SLOW, Schedule
from callback_relay.verdict import Park, Repeat, Retry
from tests.support.schedules import (
    ANSWERED_404,
    ANSWERED_503,
    FAILED,
    HIGH_WATER,
    NUMBERS,
    PER_ORIGIN,
    ROOM,
    again,
    deliver,
    fail,
    job,
    of_one,
    retry,
    schedule_of,
)


def test_a_result_is_posted_as_it_comes(schedule: Schedule[Job]) -> None:
    first = job()
    assert schedule.arrive(first, 0) == [Post(first)]
    assert deliver(schedule, first) == []


def test_a_result_that_was_delivered_is_a_repeat(schedule: Schedule[Job]) -> None:
    first = job()
    schedule.arrive(first, 0)
    deliver(schedule, first)
    second = again(first)
    assert schedule.arrive(second, 1) == [Settle(second, Repeat())]


def test_a_second_copy_waits_for_the_first_and_is_a_repeat_once_that_is_delivered(schedule: Schedule[Job]) -> None:
    first = job()
    second = again(first)
    schedule.arrive(first, 0)
    assert schedule.arrive(second, 0) == []
    assert deliver(schedule, first) == [Settle(second, Repeat())]


@pytest.mark.unmeasured
def test_hundreds_of_copies_are_repeats(schedule: Schedule[Job]) -> None:
    big = schedule_of(5000)
    first = job()
    copies = [again(first) for _ in range(1200)]
    big.arrive(first, 0)
    for copy in copies:
        assert big.arrive(copy, 0) == []
    assert deliver(big, first) == [Settle(copy, Repeat()) for copy in copies]


def test_a_second_copy_is_tried_where_the_first_was_given_up(schedule: Schedule[Job]) -> None:
    first = job()
    second = again(first)
    schedule.arrive(first, 0)
    schedule.arrive(second, 0)
    assert schedule.ended(first, Park(ANSWERED_404), 0) == [Post(second)]


def test_an_amendment_and_a_redriven_result_are_no_repeats(schedule: Schedule[Job]) -> None:
    first = job()
    schedule.arrive(first, 0)
    deliver(schedule, first)
    amended = job(first.url, submission=first.identity.submission, amendment=1)
    assert schedule.arrive(amended, 0) == [Post(amended)]
    deliver(schedule, amended)
    redriven = again(first)
    redriven.identity = Identity(first.identity.submission, 0, 1)
    assert schedule.arrive(redriven, 0) == [Post(redriven)]


def test_results_of_one_url_go_one_at_a_time_in_their_order(schedule: Schedule[Job]) -> None:
    first, second, third = (job("http://lms/same") for _ in range(3))
    assert schedule.arrive(first, 0) == [Post(first)]
    assert schedule.arrive(second, 0) == []
    assert schedule.arrive(third, 0) == []
    assert deliver(schedule, first) == [Post(second)]
    assert deliver(schedule, second) == [Post(third)]


def test_what_stands_behind_one_that_is_back_soon_waits_here(schedule: Schedule[Job]) -> None:
    first, second = of_one(), of_one(1)
    schedule.arrive(first, 0)
    schedule.arrive(second, 0)
    assert fail(schedule, first, retry(5, ANSWERED_503), now=0) == []
    back = again(first)
    assert schedule.arrive(back, 5) == [Post(back)]
    assert deliver(schedule, back) == [Post(second)]


def test_what_stands_behind_one_that_waits_for_long_goes_after_it_rung_by_rung(schedule: Schedule[Job]) -> None:
    first, second = of_one(), of_one(1)
    schedule.arrive(first, 0)
    schedule.arrive(second, 0)
    assert fail(schedule, first, retry(120, ANSWERED_503), now=0) == [Settle(second, retry(120, BEHIND))]
    late = of_one(2)
    assert not late.comes_back
    assert schedule.arrive(late, 20) == [Settle(late, retry(30, BEHIND))]
    late = again(late)
    assert schedule.arrive(late, 51) == [Settle(late, retry(30, BEHIND))]
    assert late.comes_back
    late = again(late)
    assert schedule.arrive(late, 82) == [Settle(late, retry(30, BEHIND))]
    late = again(late)
    assert schedule.arrive(late, 116) == []
    second = again(second)
    assert schedule.arrive(second, 120) == []
    back = again(first)
    assert schedule.arrive(back, 120.1) == [Post(back)]
    assert deliver(schedule, back) == [Post(second)]
    assert deliver(schedule, second) == [Post(late)]


def test_a_result_that_is_parked_lets_the_next_go(schedule: Schedule[Job]) -> None:
    first, second = job("http://lms/same"), job("http://lms/same")
    schedule.arrive(first, 0)
    schedule.arrive(second, 0)
    assert schedule.ended(first, Park(ANSWERED_404), 0) == [Post(second)]


def test_one_that_never_comes_back_is_given_up_for_those_behind_it(schedule: Schedule[Job]) -> None:
    first, second = of_one(), of_one(1)
    schedule.arrive(first, 0)
    fail(schedule, first, retry(1, ANSWERED_503), now=0)
    schedule.arrive(second, 0)
    assert schedule.tick(1 + GRACE_SECONDS - 0.1) == []
    assert schedule.tick(1 + GRACE_SECONDS) == [Post(second)]


def test_copies_of_a_delivered_result_that_are_on_rungs_hold_up_nobody(schedule: Schedule[Job]) -> None:
    first, second = job("http://lms/same"), job("http://lms/same")
    copy = again(first)
    schedule.arrive(first, 0)
    schedule.arrive(copy, 0)
    schedule.arrive(second, 0)
    assert fail(schedule, first, now=0) == [Settle(copy, retry(30, BEHIND)), Post(second)]
    deliver(schedule, second)
    back, amended = again(first), job(first.url, submission=first.identity.submission, amendment=1)
    assert schedule.arrive(back, 30) == [Post(back)]
    assert schedule.arrive(amended, 30) == []
    assert deliver(schedule, back, now=30) == [Post(amended)]
    assert deliver(schedule, amended, now=30) == []
    copy = again(copy)
    assert schedule.arrive(copy, 30) == [Settle(copy, Repeat())]
    schedule.tick(30)
    assert not schedule.paces


def test_what_waits_behind_one_that_is_back_soon_leaves_when_room_gets_scarce(schedule: Schedule[Job]) -> None:
    """It took all the room there was, so the one that it waited for could not come back, nor anybody else's come."""
    first, *others_of_it = (of_one(number) for number in range(HIGH_WATER))
    for each in (first, *others_of_it):
        schedule.arrive(each, 0)
    assert fail(schedule, first, retry(1, ANSWERED_503), now=0) == []
    others = [job(origin="http://other") for _ in range(2)]
    assert schedule.arrive(others[0], 0) == [Post(others[0])]
    orders = schedule.arrive(others[1], 0)
    assert orders == [Post(others[1]), *(Settle(each, retry(1, BEHIND)) for each in others_of_it)]
    # In their order, also where others come for the URL meanwhile.
    back, late = again(first), of_one(HIGH_WATER)
    assert schedule.arrive(late, 1) == []
    assert schedule.arrive(back, 1) == [Post(back)]
    copies = [again(each) for each in others_of_it]
    orders = [order for each in copies for order in schedule.arrive(each, 1)]
    assert orders == [Settle(late, retry(1, BEHIND))]
    assert deliver(schedule, back, now=1) == [Post(copies[0])]


def test_of_one_long_line_the_newest_leave_however_quick_the_lms_is(schedule: Schedule[Job]) -> None:
    line = [job("http://lms/same") for _ in range(ROOM)]
    schedule.arrive(line[0], 0)
    assert schedule.arrive(line[1], 0) == []
    assert deliver(schedule, line[0], now=0.1) == [Post(line[1])]
    other = job()
    orders = [order for each in (other, *line[2:]) for order in schedule.arrive(each, 0.1)]
    away = [order.job for order in orders if isinstance(order, Settle)]
    assert away == line[HIGH_WATER:]
    assert orders[0] == Post(other)
    assert {order.verdict for order in orders if isinstance(order, Settle)} == {retry(1, SLOW)}


def test_one_lms_gets_no_more_than_its_callbacks_at_a_time(schedule: Schedule[Job]) -> None:
    jobs = [job() for _ in range(PER_ORIGIN + 2)]
    posted = [order for each in jobs for order in schedule.arrive(each, 0)]
    assert posted == [Post(each) for each in jobs[:PER_ORIGIN]]
    assert deliver(schedule, jobs[0], now=0.01) == [Post(jobs[PER_ORIGIN])]


def test_many_slow_lms_leave_room_for_another() -> None:
    origins = [f"http://slow{number}" for number in range(ROOM)]
    schedule = schedule_of(ROOM, listed=origins)
    for origin in origins:
        for _ in range(PER_ORIGIN):
            schedule.arrive(job(origin=origin), 0)
    under_way = [len(pace.under_way) for pace in schedule.paces.values()]
    assert under_way[:4] == [4, 4, 4, 2]
    assert set(under_way[4:]) == {1}


def test_a_quick_lms_keeps_what_is_at_hand_however_full_it_is(schedule: Schedule[Job]) -> None:
    jobs = [job() for _ in range(ROOM)]
    for each in jobs[:PER_ORIGIN]:
        schedule.arrive(each, 0)
    deliver(schedule, jobs[0], now=0.01)
    orders = [order for each in jobs[PER_ORIGIN:] for order in schedule.arrive(each, 0.01)]
    assert not [order for order in orders if isinstance(order, Settle)]


def test_of_a_slow_lms_the_newest_go_to_a_rung_when_room_gets_scarce(schedule: Schedule[Job]) -> None:
    jobs = [job(origin="http://slow") for _ in range(ROOM)]
    orders = [(each, order) for each in jobs for order in schedule.arrive(each, 5.0 if each is not jobs[0] else 0.0)]
    put_off = [order for _, order in orders if isinstance(order, Settle)]
    assert [order.job for order in put_off] == jobs[12:]
    assert {order.verdict.reason for order in put_off if isinstance(order.verdict, Retry)} == {SLOW}
    other = job(origin="http://quick")
    assert schedule.arrive(other, 5.0)[0] == Post(other)


def test_the_more_are_put_off_the_longer_they_wait(schedule: Schedule[Job]) -> None:
    delays: list[float] = []
    schedule.arrive(job(origin="http://slow"), 0)
    for _ in range(300):
        orders = schedule.arrive(job(origin="http://slow"), 2.0)
        delays += [
            each.verdict.delay for each in orders if isinstance(each, Settle) and isinstance(each.verdict, Retry)
        ]
    assert delays == sorted(delays)
    assert (delays[0], delays[-1]) == (1, 120)


def test_a_result_that_was_put_off_is_no_try_and_no_step_up_the_ladder(schedule: Schedule[Job]) -> None:
    orders = [order for _ in range(ROOM) for order in schedule.arrive(job(origin="http://slow"), next(NUMBERS))]
    verdicts = [order.verdict for order in orders if isinstance(order, Settle)]
    assert verdicts
    assert all(isinstance(verdict, Retry) and verdict.tries == NO_TRIES for verdict in verdicts)


def test_what_was_at_hand_comes_again_and_keeps_its_place(schedule: Schedule[Job]) -> None:
    first, second = job("http://lms/same"), job("http://lms/same")
    jobs = [job() for _ in range(PER_ORIGIN)]
    for each in (first, second, *jobs):
        schedule.arrive(each, 0)
    schedule.lost(1)
    assert all(each.void for each in (first, second, *jobs))
    # The second comes first; the first is under way, void, and ends while its copy is back.
    second, copy = again(second), again(first)
    assert schedule.arrive(second, 1) == []
    assert schedule.arrive(copy, 1) == []
    assert Post(second) in deliver(schedule, first, now=1)
    assert Settle(copy, Repeat()) in deliver(schedule, second, now=1)


def test_a_void_callback_that_failed_leaves_it_to_the_copy(schedule: Schedule[Job]) -> None:
    first = job()
    schedule.arrive(first, 0)
    schedule.lost(1)
    copy = again(first)
    assert schedule.arrive(copy, 1) == []
    assert fail(schedule, first, now=1) == [Post(copy)]


def test_nothing_is_remembered_of_an_lms_with_nothing_left(schedule: Schedule[Job]) -> None:
    for number in range(100):
        each = job(origin=f"http://lms{number}")
        schedule.arrive(each, 0)
        deliver(schedule, each)
    schedule.tick(1)
    assert not schedule.paces
    assert schedule.oldest() is None


def test_the_oldest_result_counts_wherever_it_waits(schedule: Schedule[Job]) -> None:
    first, second = job(), job()
    schedule.arrive(first, 0)
    schedule.arrive(second, 0)
    fail(schedule, first)
    assert schedule.oldest() == first.graded_at
    deliver(schedule, second)
    assert schedule.oldest() == first.graded_at


@pytest.mark.unmeasured
def test_a_line_stays_short_and_what_is_beyond_is_posted_all_the_same(schedule: Schedule[Job]) -> None:
    """A line is read from its front: with 20,000 in one, each that came cost the relay a millisecond."""
    first = of_one()
    schedule.arrive(first, 0)
    fail(schedule, first, retry(120, ANSWERED_503))
    many = [of_one(number) for number in range(1, 3 * MAX_IN_LINE)]
    for each in many:
        assert schedule.arrive(each, 1) == [Settle(each, retry(30, BEHIND))]
    assert schedule.paces["http://lms"].away <= MAX_IN_LINE + 1

    back = again(first)
    assert schedule.arrive(back, 120) == [Post(back)]
    deliver(schedule, back, 120)
    schedule.tick(200 + GRACE_SECONDS)
    for each in map(again, many):
        assert schedule.arrive(each, 300) == [Post(each)]
        deliver(schedule, each, 300)


def test_another_copy_of_what_is_here_or_on_a_rung_is_known(schedule: Schedule[Job]) -> None:
    first = job()
    assert not schedule.copies(first)
    schedule.arrive(first, 0.0)
    assert schedule.copies(again(first)) == 1
    assert not schedule.copies(job(first.url)), "of another submission"
    schedule.outcome(first, Answered(503), 0.0)
    schedule.ended(first, FAILED, 0.0)
    assert schedule.copies(again(first)) == 1
    back = again(first)
    schedule.arrive(back, 30.0)
    deliver(schedule, back, 30.0)
    assert not schedule.copies(again(first))
