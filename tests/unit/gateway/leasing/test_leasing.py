"""Leases as a course queue gives them: written down first, one at a time, and nobody's work held back in vain."""

import asyncio
from time import monotonic

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.answers import Standing
from broker_setup.ledger.events import Leased, Released, hash_key, hash_url
from gateway.leasing import consumer, course_queue, deadline
from gateway.leasing.course_queue import NoRoomForAnswerError
from gateway.leasing.handing_out import Handout
from tests.support.leasing import DELAY, Scene, turns
from tests.support.ledger_events import graded, leased, released, submitted, uuid_of
from tests.support.waiting import quickest

OTHER_URL = "https://lms.example/another/score_update?usage_id=x"


async def test_a_lease_is_in_the_ledger_before_its_grader_has_it() -> None:
    scene = Scene()
    scene.deliver(1, url=OTHER_URL)
    scene.ledger.in_time.clear()
    poll = asyncio.create_task(scene.queue.take())
    await turns()
    assert not poll.done()
    scene.ledger.in_time.set()
    [handout] = await poll
    [event] = scene.ledger.events
    assert event == Leased(
        at=scene.now,
        submission=uuid_of(1),
        queue="openedx",
        url=hash_url(OTHER_URL),
        key=hash_key(handout.key),
        expires_at=handout.expires_at,
        sealed=handout.submission.sealed_return,
        attempt=1,
        after=b"",
    )


async def test_no_two_polls_get_one_submission_while_its_lease_is_being_written() -> None:
    scene = Scene()
    for number in (1, 2, 3):
        scene.deliver(number)
    scene.ledger.in_time.clear()
    polls = [asyncio.create_task(scene.queue.take()) for _ in range(3)]
    await turns()
    scene.ledger.in_time.set()
    handouts = [handout for took in await asyncio.gather(*polls) for handout in took]
    assert sorted(handout.submission.body for handout in handouts) == ["work 1", "work 2", "work 3"]


async def test_where_another_gateways_lease_came_first_its_delivery_is_adopted() -> None:
    scene = Scene()
    tag = scene.deliver(1)
    scene.ledger.unread = [leased(1, scene.now - 1, "the other's", until=scene.now + DELAY)]
    assert await scene.queue.take() == []
    assert scene.queue.waiting_here == 0
    assert await scene.sent() == []
    scene.ledger.happens(graded(1, scene.now, "the other's"))
    assert await scene.sent() == [("ack", tag)]


async def test_where_it_was_settled_before_the_lease_its_delivery_is_let_go() -> None:
    scene = Scene()
    tag = scene.deliver(1)
    scene.ledger.unread = [leased(1, 0, "the other's"), graded(1, scene.now, "the other's")]
    assert await scene.queue.take() == []
    assert await scene.sent() == [("ack", tag)]


async def test_where_it_was_superseded_before_the_lease_its_delivery_is_let_go_and_noted() -> None:
    scene = Scene()
    scene.ledger.happens(submitted(1, scene.now - 10))
    tag = scene.deliver(1)
    scene.ledger.unread = [submitted(2, scene.now - 1)]
    assert await scene.queue.take() == []
    assert await scene.sent() == [("ack", tag)]
    assert scene.ledger.state.standing(uuid_of(1), scene.now) is Standing.CLOSED
    assert len(scene.ledger.noted) == 1


async def test_where_the_other_lease_was_over_in_the_meantime_the_submission_waits_here_again() -> None:
    scene = Scene()
    scene.deliver(1)
    scene.ledger.unread = [leased(1, scene.now - 1, "the other's")]
    scene.ledger.in_time.clear()
    poll = asyncio.create_task(scene.queue.take())
    await turns()
    happens = scene.ledger.happens

    def and_then_released(*events: object) -> bool:
        valid = happens(*events)  # type: ignore[arg-type]
        if events and isinstance(events[0], Leased) and not valid:
            happens(released(1, scene.now, "the other's"))
        return valid

    scene.ledger.happens = and_then_released  # type: ignore[method-assign]
    scene.ledger.in_time.set()
    # The same poll gets it: it never left this gateway.
    [handout] = await poll
    assert handout.submission.body == "work 1"
    assert await scene.sent() == []


async def test_what_was_leased_elsewhere_while_it_waited_here_is_passed_over() -> None:
    scene = Scene()
    scene.deliver(1)
    scene.deliver(2)
    scene.ledger.happens(leased(1, scene.now, "the other's"))
    assert (await scene.poll()).submission.body == "work 2"
    assert scene.queue.waiting_here == 0
    assert await scene.sent() == []


async def test_without_the_ledger_the_delivery_goes_back_and_the_caller_hears_of_it() -> None:
    scene = Scene()
    tag = scene.deliver(1)
    scene.ledger.away = True
    with pytest.raises(BrokerUnavailableError, match="the ledger is away"):
        await scene.queue.take()
    assert await scene.sent() == [("requeue", tag)]
    assert scene.queue.waiting_here == 0


async def test_a_lease_that_turns_up_in_the_ledger_after_its_caller_was_refused_is_released() -> None:
    scene = Scene()
    scene.deliver(1)
    scene.ledger.swallows = True
    with pytest.raises(BrokerUnavailableError):
        await scene.queue.take()
    scene.ledger.swallows = False
    scene.deliver(1)
    assert (await scene.poll()).submission.body == "work 1"


async def test_a_caller_who_hangs_up_while_his_lease_is_written_leaves_no_lease_behind() -> None:
    scene = Scene()
    tag = scene.deliver(1)
    scene.ledger.in_time.clear()
    poll = asyncio.create_task(scene.queue.take())
    await turns()
    poll.cancel()
    await asyncio.wait({poll})
    assert poll.cancelled()
    scene.ledger.in_time.set()
    await turns()
    lease, release = scene.ledger.events
    assert isinstance(lease, Leased)
    assert release == Released(scene.now, uuid_of(1), lease.key, available_at=scene.now, failed=False)
    # As soon as anybody looks at what has run out, it goes back to the queue.
    for ended in scene.ledger.state.run_out(scene.now):
        scene.queue.held.ran_out(ended)
    assert await scene.sent() == [("requeue", tag)]


async def test_a_caller_who_hangs_up_before_the_ledger_fails_disturbs_nobody() -> None:
    scene = Scene()
    tag = scene.deliver(1)
    scene.ledger.in_time.clear()
    poll = asyncio.create_task(scene.queue.take())
    await turns()
    poll.cancel()
    await asyncio.wait({poll})
    scene.ledger.away = True
    scene.ledger.in_time.set()
    await turns()
    assert await scene.sent() == [("requeue", tag)]


async def test_a_released_submission_is_held_back_for_its_delay_and_then_given_back() -> None:
    scene = Scene()
    tag = scene.deliver(1)
    handout = await scene.poll()
    scene.ledger.happens(released(1, scene.now, handout.key, available_at=scene.now + 10))
    noted = len(scene.ledger.noted)
    scene.now += 10
    for ended in scene.ledger.state.run_out(scene.now):
        scene.queue.held.ran_out(ended)
    assert await scene.sent() == [("requeue", tag)]
    assert len(scene.ledger.noted) == noted, "it has not run out, it was given back"


# Several at once.


async def test_a_poll_for_many_gets_what_is_here_up_to_its_limit() -> None:
    scene = Scene()
    for number in range(1, 8):
        scene.deliver(number)
    assert bodies(await scene.queue.take(limit=5)) == [f"work {number}" for number in range(1, 6)]
    assert bodies(await scene.queue.take(limit=5)) == ["work 6", "work 7"]
    assert await scene.queue.take(limit=5) == []


async def test_a_poll_for_many_waits_a_moment_for_what_comes_with_the_first() -> None:
    scene = Scene()
    scene.queue._consumer._quiet_since = monotonic() + 60  # deliveries keep coming
    poll = asyncio.create_task(scene.queue.take(limit=3, wait=30))
    await turns()
    for number in (1, 2, 3):
        assert not poll.done()
        scene.deliver(number)
        await turns()
    assert bodies(await poll) == ["work 1", "work 2", "work 3"]


async def test_a_poll_for_many_does_not_wait_for_what_does_not_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course_queue, "FIRST_DELIVERY_SECONDS", 0.05)
    scene = Scene()
    scene.queue._consumer._quiet_since = monotonic() + 60
    scene.deliver(1)
    start = monotonic()
    assert bodies(await scene.queue.take(limit=3, wait=30)) == ["work 1"]
    assert monotonic() - start < 5


async def test_of_many_leases_those_that_are_good_are_handed_out_though_others_are_void() -> None:
    scene = Scene()
    for number in range(1, 5):
        scene.deliver(number)
    scene.ledger.unread = [leased(2, scene.now, "the other's"), leased(3, scene.now, "another's")]
    assert bodies(await scene.queue.take(limit=4)) == ["work 1", "work 4"]
    assert await scene.sent() == []


async def test_where_none_of_many_leases_could_be_written_the_caller_hears_of_it() -> None:
    scene = Scene()
    tags = [scene.deliver(number) for number in (1, 2)]
    scene.ledger.away = True
    with pytest.raises(BrokerUnavailableError):
        await scene.queue.take(limit=2)
    assert await scene.sent() == [("requeue", tag) for tag in tags]


# Waiting.


async def test_a_long_poll_gets_what_arrives_while_it_waits() -> None:
    scene = Scene()
    poll = asyncio.create_task(scene.queue.take(wait=30))
    await turns()
    scene.deliver(1)
    assert bodies(await poll) == ["work 1"]


async def test_a_long_poll_that_was_woken_for_what_somebody_else_has_goes_on_waiting() -> None:
    scene = Scene()
    poll = asyncio.create_task(scene.queue.take(wait=30))
    await turns()
    scene.ledger.unread = [leased(1, scene.now, "the other's")]
    scene.deliver(1)
    await turns(20)
    assert not poll.done()
    scene.deliver(2)
    assert bodies(await poll) == ["work 2"]


async def test_a_poll_that_follows_a_submit_at_once_waits_a_moment_for_its_delivery(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene()
    assert await scene.queue.take() == []
    monkeypatch.setattr(course_queue, "FIRST_DELIVERY_SECONDS", 30)
    monkeypatch.setattr(consumer, "QUIET_SECONDS", 30)
    scene.queue.submitted()
    poll = asyncio.create_task(scene.queue.take())
    await turns()
    assert not poll.done()
    scene.deliver(1)
    assert bodies(await poll) == ["work 1"]


async def test_a_poll_that_follows_a_submit_does_not_wait_long_for_what_another_gateway_got() -> None:
    scene = Scene()
    scene.queue.submitted()
    start = monotonic()
    assert await scene.queue.take() == []
    assert 0.01 < monotonic() - start < 10


async def test_a_poll_without_a_consumer_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(course_queue, "BROKER_SECONDS", 0.05)
    scene = Scene()
    scene.queue._consumer._tag = None
    with pytest.raises(BrokerUnavailableError, match="the broker has not answered yet"):
        await scene.queue.take()


def bodies(handouts: list[Handout]) -> list[str]:
    return [handout.submission.body for handout in handouts]


async def test_one_deadline_stands_over_all_that_a_poll_waits_for_and_its_late_lease_is_taken_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(deadline, "ANSWER_SECONDS", 0.3)

    async def wait_up_to_date() -> None:
        await asyncio.sleep(0.2)

    async def refused_after() -> float:
        scene = Scene()
        monkeypatch.setattr(scene.ledger, "wait_up_to_date", wait_up_to_date)
        scene.ledger.in_time.clear()
        scene.deliver(1)
        began = monotonic()
        with pytest.raises(BrokerUnavailableError, match="in time"):
            await scene.poll()
        took = monotonic() - began
        scene.ledger.in_time.set()
        await turns()
        assert [type(event) for event in scene.ledger.noted] == [Released]
        assert scene.ledger.state.standing(uuid_of(1), scene.now) is Standing.FREE
        return took

    assert await quickest(refused_after, below=0.45) < 0.45, "not the one after the other"


async def test_what_an_answer_has_no_room_for_is_not_leased_and_waits_for_the_next_poll() -> None:
    scene = Scene()
    for number in (1, 2, 3):
        scene.deliver(number)
    asked: list[int] = []

    def only_two(size: int) -> bool:
        asked.append(size)
        return len(asked) <= 2

    assert len(await scene.queue.take(3, fits=only_two)) == 2
    # In all, each with those before it.
    assert asked == sorted(asked)
    with pytest.raises(NoRoomForAnswerError):
        await scene.queue.take(fits=lambda _: False)
    assert scene.queue.waiting_here == 1
    assert len(scene.ledger.events) == 2
    [last] = await scene.queue.take()
    assert last.submission.body == "work 3"
