"""Deliveries as one course queue treats them: which are kept, acked, given back, adopted or parked."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from broker_setup.amqp.errors import ChannelClosedError
from broker_setup.ledger.events import Expired, Superseded, hash_key
from gateway.leasing import course_queue
from gateway.leasing.course_queue import CourseQueue, TooMuchLeasedError
from gateway.leasing.deliveries import Buffered
from gateway.leasing.handing_out import Handout
from tests.support.leasing import DELAY, FakeChannel, Scene
from tests.support.ledger_events import graded, leased, parked, redriven, retired, submitted, uuid_of


def settle(scene: Scene, number: int, handout: Handout) -> None:
    scene.ledger.happens(graded(number, scene.now, handout.key))


async def test_deliveries_are_handed_out_in_order_each_under_a_key_of_its_own() -> None:
    scene = Scene()
    for number in (1, 2, 3):
        scene.deliver(number)
    assert scene.queue.waiting_here == 3
    handouts = [await scene.poll() for _ in range(3)]
    assert [handout.submission.body for handout in handouts] == ["work 1", "work 2", "work 3"]
    assert len({handout.key for handout in handouts}) == 3
    assert all(len(handout.key) == 32 for handout in handouts)
    assert all(handout.expires_at == scene.now + DELAY for handout in handouts)
    assert scene.queue.waiting_here == 0
    assert await scene.sent() == []


async def test_a_settled_submission_is_acked() -> None:
    scene = Scene()
    tag = scene.deliver(1)
    settle(scene, 1, await scene.poll())
    assert await scene.sent() == [("ack", tag)]


@pytest.mark.parametrize("leaves", [graded(1, 1_001, "elsewhere"), retired(1, 1_001), parked(1, 1_001)])
async def test_what_leaves_its_queue_by_somebody_elses_hand_is_acked_wherever_it_is(leaves: Any) -> None:
    buffered = Scene()
    tag = buffered.deliver(1)
    buffered.ledger.happens(leaves)
    assert await buffered.sent() == [("ack", tag)]
    assert buffered.queue.waiting_here == 0
    held = Scene()
    tag = held.deliver(1)
    await held.poll()
    held.ledger.happens(leaves)
    assert await held.sent() == [("ack", tag)]


async def test_a_submission_whose_lease_ran_out_is_given_back_once_and_that_is_noted() -> None:
    scene = Scene()
    tag = scene.deliver(1)
    handout = await scene.poll()
    scene.let_run_out()
    scene.let_run_out()
    assert await scene.sent() == [("requeue", tag)]
    assert scene.ledger.noted == [Expired(scene.now - DELAY, uuid_of(1), hash_key(handout.key))]


async def test_the_redelivery_of_a_settled_submission_is_debris() -> None:
    scene = Scene()
    scene.deliver(1)
    handout = await scene.poll()
    scene.queue._deliveries.forget()
    settle(scene, 1, handout)
    tag = scene.deliver(1)
    assert await scene.sent() == [("ack", tag)]
    assert scene.queue.waiting_here == 0


@pytest.mark.parametrize("by", ["this gateway", "another"])
async def test_the_redelivery_of_a_leased_submission_is_adopted(by: str) -> None:
    scene = Scene()
    if by == "another":
        scene.ledger.happens(leased(1, scene.now, "its key", until=scene.now + DELAY))
    else:
        scene.deliver(1)
        await scene.poll()
        scene.queue._deliveries.forget()
    tag = scene.deliver(1)
    assert scene.queue.waiting_here == 0
    assert await scene.sent() == []
    scene.ledger.happens(graded(1, scene.now, "its key"))
    assert await scene.sent() == [("ack", tag)]


async def test_an_adopted_delivery_goes_back_when_its_lease_runs_out() -> None:
    scene = Scene()
    scene.ledger.happens(leased(1, scene.now, "its key", until=scene.now + DELAY))
    tag = scene.deliver(1)
    scene.let_run_out()
    assert await scene.sent() == [("requeue", tag)]
    assert scene.ledger.noted == [Expired(scene.now, uuid_of(1), hash_key("its key"))]


async def test_a_delivery_whose_lease_ran_out_may_be_leased_again() -> None:
    scene = Scene()
    scene.ledger.happens(leased(1, scene.now, "its key", until=scene.now + DELAY))
    scene.now += DELAY
    scene.deliver(1)
    handout = await scene.poll()
    assert handout.expires_at == scene.now + DELAY


async def test_a_delivery_that_comes_again_while_it_is_held_is_not_acked_before_it_is_settled() -> None:
    # The leader lost the node for a moment: the first delivery is void, the second is the real one.
    scene = Scene()
    first = scene.deliver(1)
    second = scene.deliver(1)
    assert await scene.sent() == []
    settle(scene, 1, await scene.poll())
    assert await scene.sent() == [("ack", first), ("ack", second)]


async def test_what_nobody_asked_for_goes_back_the_oldest_first() -> None:
    scene = Scene()
    tags = [scene.deliver(number) for number in (1, 2, 3)]
    handout = await scene.poll()
    scene.queue.held.give_back()
    assert await scene.sent() == [("requeue", tag) for tag in tags[1:]]
    assert scene.queue.waiting_here == 0
    settle(scene, 1, handout)
    assert (await scene.sent())[-1] == ("ack", tags[0])


async def test_a_late_result_takes_the_submission_out_of_the_buffer() -> None:
    scene = Scene()
    scene.deliver(1)
    handout = await scene.poll()
    scene.let_run_out()
    tag = scene.deliver(1)
    assert scene.queue.waiting_here == 1
    settle(scene, 1, handout)
    assert scene.queue.waiting_here == 0
    assert (await scene.sent())[-1] == ("ack", tag)


async def test_a_lease_that_runs_out_while_its_delivery_waits_again_leaves_nothing_to_hand_out_here() -> None:
    scene = Scene()
    scene.deliver(1)
    await scene.poll()
    scene.queue._deliveries.forget()
    scene.now += DELAY
    again = scene.deliver(1)
    for lease in scene.ledger.state.run_out(scene.now):
        scene.queue.held.ran_out(lease)
    # Given back, so it must not be handed out from here: another gateway may have it.
    assert await scene.sent() == [("requeue", again)]
    assert scene.queue.waiting_here == 0


# Superseded.


async def test_what_is_superseded_while_it_waits_is_noted_and_let_go() -> None:
    scene = Scene()
    scene.ledger.happens(submitted(1, scene.now))
    tag = scene.deliver(1)
    scene.now += 5
    scene.ledger.happens(submitted(2, scene.now))
    assert scene.queue.waiting_here == 0
    assert scene.ledger.noted == [Superseded(scene.now, uuid_of(1), "openedx", uuid_of(2))]
    assert await scene.sent() == [("ack", tag)]
    assert scene.ledger.state.superseded_in("openedx") == 0


async def test_what_is_superseded_before_it_arrives_is_noted_and_let_go() -> None:
    scene = Scene()
    scene.ledger.happens(submitted(1, scene.now), submitted(2, scene.now + 5))
    scene.now += 6
    tag = scene.deliver(1)
    assert scene.queue.waiting_here == 0
    assert scene.ledger.noted == [Superseded(scene.now, uuid_of(1), "openedx", uuid_of(2))]
    assert await scene.sent() == [("ack", tag)]


async def test_what_is_superseded_stays_in_the_broker_until_the_ledger_says_that_it_left() -> None:
    scene = Scene()
    scene.ledger.happens(submitted(1, scene.now), submitted(2, scene.now + 5))
    scene.ledger.away = True
    tag = scene.deliver(1)
    assert scene.queue.waiting_here == 0
    assert await scene.sent() == []
    scene.ledger.come_back()
    assert await scene.sent() == [("ack", tag)]


async def test_what_is_leased_is_not_let_go_for_a_newer_one() -> None:
    scene = Scene()
    scene.ledger.happens(submitted(1, scene.now))
    tag = scene.deliver(1)
    handout = await scene.poll()
    scene.ledger.happens(submitted(2, scene.now + 5))
    assert await scene.sent() == []
    settle(scene, 1, handout)
    assert await scene.sent() == [("ack", tag)]


# What is not here any more.


async def test_a_release_on_a_channel_that_is_gone_disturbs_nobody() -> None:
    scene = Scene()

    class Gone(FakeChannel):
        def ack(self, tag: int, *, multiple: bool = False) -> None:
            raise ChannelClosedError("the channel is closed")

    scene.deliver(1, Gone())
    settle(scene, 1, await scene.poll())
    assert await scene.sent() == []


@pytest.mark.parametrize("lose", [lambda queue: queue._deliveries.forget(), lambda queue: queue.held.give_back()])
async def test_a_delivery_that_is_no_longer_here_is_not_handed_out(lose: Callable[[CourseQueue], None]) -> None:
    scene = Scene()
    scene.deliver(1)
    lose(scene.queue)
    assert scene.queue._deliveries.buffered() == Buffered(number=0, bytes=0, oldest=0.0, waiting=0)
    assert await scene.queue.take() == []


# Redriven.


async def test_a_redriven_copy_that_comes_before_its_event_was_read_is_handed_out() -> None:
    scene = Scene()
    scene.ledger.happens(parked(1, scene.now))
    scene.ledger.unread = [redriven(1, scene.now + 1)]
    tag = scene.deliver(1, redriven=1)
    assert scene.queue.waiting_here == 1
    scene.now += 2
    handout = await scene.poll()
    assert await scene.sent() == []
    settle(scene, 1, handout)
    assert await scene.sent() == [("ack", tag)]


async def test_a_redriven_copy_outlives_the_event_by_which_its_forerunner_was_parked() -> None:
    scene = Scene()
    tag = scene.deliver(1, redriven=1)
    scene.ledger.happens(parked(1, scene.now))
    assert await scene.sent() == []
    scene.ledger.happens(redriven(1, scene.now))
    scene.now += 1
    settle(scene, 1, await scene.poll())
    assert await scene.sent() == [("ack", tag)]


async def test_a_redriven_copy_of_what_was_graded_since_is_debris() -> None:
    scene = Scene()
    scene.ledger.happens(parked(1, scene.now), redriven(1, scene.now), graded(1, scene.now, "k"))
    tag = scene.deliver(1, redriven=1)
    assert await scene.sent() == [("ack", tag)]


async def test_a_copy_that_only_pretends_to_be_redriven_is_debris_once_its_lease_is_void() -> None:
    scene = Scene()
    scene.ledger.happens(parked(1, scene.now))
    tag = scene.deliver(1, redriven=7)
    assert await scene.queue.take() == []
    assert await scene.sent() == [("ack", tag)]


async def test_what_waits_for_a_poll_is_counted_in_bytes_too() -> None:
    scene = Scene()
    scene.deliver(1)
    one = scene.queue._deliveries.buffered().bytes
    assert one >= len("work 1")
    scene.deliver(2)
    assert scene.queue._deliveries.buffered().bytes == 2 * one
    await scene.poll()
    assert scene.queue._deliveries.buffered().bytes == one


async def test_what_waits_counts_as_the_memory_that_it_takes_and_not_as_its_message() -> None:
    narrow, wide = Scene(), Scene()
    narrow.deliver(1, body=b'{"xqueue_body": "%s"}' % (b"a" * 10_000))
    wide.deliver(1, body='{"xqueue_body": "%s\U0001f600"}'.encode() % (b"a" * 9_999))
    assert wide.queue._deliveries.buffered().bytes > narrow.queue._deliveries.buffered().bytes + 29_000


async def test_nothing_more_is_handed_out_while_what_is_leased_takes_too_much_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(course_queue, "MAX_SEALED_BYTES", 1_000)
    scene = Scene()
    for number in range(2, 4):
        large = replace(leased(number, scene.now, f"k{number}", url=str(number)), sealed="x" * 501)
        scene.ledger.happens(large)
    scene.deliver(1)
    with pytest.raises(TooMuchLeasedError):
        await scene.poll()
    scene.ledger.happens(graded(2, scene.now, "k2", url="2"))
    assert (await scene.poll()).submission.body == "work 1"
