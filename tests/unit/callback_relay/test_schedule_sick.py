"""LMSs and URLs that are sick, or that nobody knows: what of theirs is tried, and when."""

import pytest

from broker_setup.wire.results import Tries
from callback_relay.evidence import SUSPECTS, Blame
from callback_relay.job import Job
from callback_relay.orders import Post, Settle
from callback_relay.outcome import Answered, NoAnswer, Outcome
from callback_relay.pace import SAMPLE
from callback_relay.reason import Reason, Slug
from callback_relay.schedule import STRANGERS, Schedule
from callback_relay.verdict import Park, Retry, Ruling
from tests.support.schedules import (
    EPOCH,
    FAILED,
    HIGH_WATER,
    PER_ORIGIN,
    ROOM,
    again,
    deliver,
    fail,
    job,
    retry,
    schedule_of,
)


def sicken(schedule: Schedule[Job], outcome: Outcome = Answered(503), count: int = SUSPECTS) -> None:  # noqa: B008
    for _ in range(count):
        each = job()
        assert Post(each) in schedule.arrive(each, 0)
        schedule.outcome(each, outcome, 0)
        schedule.ended(each, FAILED, 0)


def held(delay: float = 1.0) -> Retry:
    return Retry(delay, Tries(since=EPOCH), Reason(Slug.AWAY, "the LMS is sick (answered 503)"))


def test_after_as_many_urls_that_failed_as_make_an_lms_sick_a_sample_waits_here_and_the_rest_on_a_rung(
    schedule: Schedule[Job],
) -> None:
    sicken(schedule)
    several = [job() for _ in range(SAMPLE)]
    for each in several:
        assert schedule.arrive(each, 0.1) == []
    one_more = job()
    assert schedule.arrive(one_more, 0.1) == [Settle(one_more, held())]


def test_then_one_is_tried_now_and_then_and_the_others_flow_once_it_is_delivered(schedule: Schedule[Job]) -> None:
    sicken(schedule)
    first, second, third = several = [job() for _ in range(3)]
    for each in several:
        schedule.arrive(each, 0.1)
    assert schedule.tick(0.4) == []
    [probe] = schedule.tick(0.6)
    assert probe == Post(third)  # by chance
    assert schedule.tick(9) == []  # one at a time, however long it takes
    assert deliver(schedule, third, now=9) == [Post(second)]  # and after it one at a time, at first
    assert deliver(schedule, second, now=9) == [Post(first)]


def test_each_that_is_delivered_doubles_the_pace_of_an_lms_that_comes_back() -> None:
    schedule = schedule_of(64)
    sicken(schedule)
    for _ in range(SAMPLE):
        schedule.arrive(job(), 0.1)
    begun = []
    [order] = schedule.tick(1)
    probe = order.job
    for _ in range(3):
        orders = deliver(schedule, probe, 1)
        begun.append(len(orders))
        probe = orders[0].job
    assert begun == [1, 2, 3]  # under way: 1, 2, 4, which is the most


def test_what_was_never_tried_is_the_next_probe(schedule: Schedule[Job]) -> None:
    sicken(schedule)
    untried, tried = job(), job()
    tried.tries = Tries(made=1)
    schedule.arrive(untried, 0.1)
    schedule.arrive(tried, 0.1)
    assert schedule.tick(1) == [Post(untried)]


def test_one_that_can_not_be_reached_is_sick_at_once(schedule: Schedule[Job]) -> None:
    sicken(schedule, NoAnswer(Reason(Slug.NO_CONNECTION, "refused")), count=1)
    assert schedule.arrive(job(), 0.1) == []


def test_what_waits_for_a_sick_lms_for_too_long_is_parked_and_its_student_told(schedule: Schedule[Job]) -> None:
    sicken(schedule)
    for _ in range(SAMPLE):
        schedule.arrive(job(), 0.1)
    late = job()
    late.tries = Tries(since=EPOCH - 3601)
    reason = Reason(Slug.AWAY, "the LMS is sick (answered 503); failing for 1.0 h")
    assert schedule.arrive(late, 0.1) == [Settle(late, Park(reason, late.tries))]


def test_the_room_of_a_sick_lms_sample_is_others_when_it_gets_scarce(schedule: Schedule[Job]) -> None:
    sicken(schedule)
    for _ in range(SAMPLE):
        schedule.arrive(job(), 0.1)
    orders = [order for _ in range(SAMPLE) for order in schedule.arrive(job(origin="http://other"), 0.1)]
    assert len([order for order in orders if isinstance(order, Settle)]) == 2 * SAMPLE - HIGH_WATER


def test_another_lms_is_not_concerned(schedule: Schedule[Job]) -> None:
    sicken(schedule)
    other = job(origin="http://other")
    assert schedule.arrive(other, 0.1) == [Post(other)]


def test_after_a_failure_any_that_is_ready_goes_next_and_what_was_never_tried_before_all() -> None:
    schedule = schedule_of(64, chance=lambda: 0.0)
    failed = job()
    schedule.arrive(failed, 0)
    fail(schedule, failed)
    under_way = [job() for _ in range(PER_ORIGIN)]
    tried, untried = job(), job()
    tried.tries = Tries(made=1)
    for each in (*under_way, tried, untried):
        schedule.arrive(each, 1)
    assert deliver(schedule, under_way[0], 1) == [Post(untried)]


def test_a_newer_submissions_result_goes_at_once_where_an_older_one_failed(schedule: Schedule[Job]) -> None:
    first, second = job("http://lms/same"), job("http://lms/same")
    schedule.arrive(first, 0)
    assert schedule.arrive(second, 0) == []
    assert fail(schedule, first) == [Post(second)]
    back = again(first)
    assert schedule.arrive(back, 1) == []  # one at a time
    assert deliver(schedule, second, 1) == [Post(back)]


def test_an_older_submissions_result_is_outdated_once_a_newer_ones_has_come() -> None:
    schedule = schedule_of(ROOM, outdates_after=lambda queue: 2.0 if queue == "openedx" else None)
    for queue, apart, is_outdated in (("openedx", 3, True), ("openedx", 1, False), ("exam", 3, False)):
        url = f"http://lms/{queue}/{apart}"
        older = job(url, queue=queue, submitted_at=100)
        newer = job(url, queue=queue, submitted_at=100 + apart)
        schedule.arrive(older, 0)
        schedule.arrive(newer, 0)
        assert schedule.outcome(older, Answered(500), 0).is_outdated is is_outdated
        schedule.ended(older, FAILED, 0)
        # The newer one never is, whichever came first.
        assert not schedule.outcome(newer, Answered(500), 0).is_outdated


def test_a_result_of_another_queue_neither_waits_nor_is_waited_for_whatever_url_it_names(
    schedule: Schedule[Job],
) -> None:
    mine, stranger = job("http://lms/same"), job("http://lms/same", queue="another")
    assert schedule.arrive(stranger, 0) == [Post(stranger)]
    assert schedule.arrive(mine, 0) == [Post(mine)]


def test_what_failed_beside_others_that_succeed_is_its_urls_own_fault(schedule: Schedule[Job]) -> None:
    broken, good = job(), job()
    schedule.arrive(broken, 0)
    assert schedule.outcome(broken, Answered(500), 0).blame is Blame.OPEN
    schedule.ended(broken, FAILED, 0)
    schedule.arrive(good, 0)
    deliver(schedule, good)
    broken = again(broken)
    schedule.arrive(broken, 1)
    assert schedule.outcome(broken, Answered(500), 1) == Ruling(Blame.URL, 1.0)


def test_all_that_never_answered_have_half_of_the_room_and_what_is_beyond_goes_to_a_rung() -> None:
    schedule = schedule_of(ROOM)
    orders = [order for n in range(40) for order in schedule.arrive(job(origin=f"http://stranger{n}"), 0)]
    posted = [order for order in orders if isinstance(order, Post)]
    away = [order for order in orders if isinstance(order, Settle)]
    assert len(posted) == ROOM / 2
    assert {order.verdict for order in away} == {retry(30, STRANGERS)}
    known = schedule_of(ROOM, listed=["http://lms"])
    for n in range(40):
        known.arrive(job(origin=f"http://stranger{n}"), 0)
    mine = job()
    assert known.arrive(mine, 0)[0] == Post(mine)


def test_when_one_of_them_ends_another_begins() -> None:
    schedule = schedule_of(ROOM)
    jobs = [job(origin=f"http://stranger{n}") for n in range(HIGH_WATER)]
    for each in jobs:
        schedule.arrive(each, 0)
    assert deliver(schedule, jobs[0], 5) == [Post(jobs[ROOM // 2])]


def test_of_however_many_lms_no_more_than_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callback_relay.origins.MOST_ORIGINS", 10)
    schedule = schedule_of(ROOM)
    jobs = [job(origin=f"http://stranger{n}") for n in range(50)]
    for each in jobs:
        schedule.arrive(each, 0)
        fail(schedule, each)
    schedule.tick(1)
    assert len(schedule.paces) == 10
    for each in map(again, jobs):
        schedule.arrive(each, 2)
        deliver(schedule, each, 2)
    schedule.tick(3)
    assert not schedule.paces
