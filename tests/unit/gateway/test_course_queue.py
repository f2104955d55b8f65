"""Deliveries as one course queue treats them: which are kept, handed out, acked, given back or parked."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from broker_setup.connection import Link
from broker_setup.messages import Submission, encode_submission
from gateway.leasing.course_queue import CourseQueue, Handout
from gateway.leasing.leases import Leases

DELAY = 60.0


@dataclass
class FakeChannel:
    """Notes what would be sent to the broker."""

    sent: list[tuple[str, int]] = field(default_factory=list)

    async def basic_ack(self, tag: int, *, wait: bool) -> None:
        self.sent.append(("ack", tag))

    async def basic_nack(self, tag: int, *, requeue: bool, wait: bool) -> None:
        self.sent.append(("requeue" if requeue else "drop", tag))

    async def basic_reject(self, tag: int, *, requeue: bool, wait: bool) -> None:
        self.sent.append(("requeue" if requeue else "park", tag))


@dataclass
class FakeDelivery:
    """The attributes of a delivery that a course queue reads."""

    body: bytes
    correlation_id: str | None
    headers: dict[str, Any]
    channel: FakeChannel
    delivery_tag: int
    timestamp: None = None
    consumer_tag: str = "consumer"


class Scene:
    """A course queue with a broker that only takes notes, and a clock that stands still until told."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.leases = Leases()
        self.queue = CourseQueue(
            "openedx",
            Link("amqp://nowhere", "no link"),
            self.leases,
            processing_delay=DELAY,
            clock=lambda: self.now,
        )
        self.channel = FakeChannel()
        self.tag = 0

    def deliver(self, uuid: str, channel: FakeChannel | None = None, **spoilt: Any) -> int:
        message = encode_submission(Submission(uuid=uuid, queue="openedx", body=f"work {uuid[0]}", sealed_return="s"))
        self.tag += 1
        values: dict[str, Any] = {
            "body": message.body,
            "correlation_id": message.correlation_id,
            "headers": dict(message.headers),
            "channel": channel or self.channel,
            "delivery_tag": self.tag,
        }
        message_of_broker: Any = FakeDelivery(**values | spoilt)
        self.queue.received(message_of_broker)
        return self.tag

    async def poll(self) -> Handout:
        handout = await self.queue.take()
        assert handout
        return handout

    async def sent(self) -> list[tuple[str, int]]:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return self.channel.sent

    def settle(self, handout: Handout) -> None:
        self.leases.begin_settling(handout.lease)
        self.leases.settle(handout.lease, b"digest", self.now)
        self.queue.settled(handout.submission.uuid)

    def let_run_out(self) -> None:
        self.now += DELAY
        for lease in self.leases.run_out(self.now):
            self.queue.ran_out(lease.submission)


A, B, C = ("a" * 32, "b" * 32, "c" * 32)


async def test_deliveries_are_handed_out_in_order_each_under_a_key_of_its_own() -> None:
    scene = Scene()
    for uuid in (A, B, C):
        scene.deliver(uuid)
    assert scene.queue.waiting_here == 3
    handouts = [await scene.poll() for _ in range(3)]
    assert [handout.submission.uuid for handout in handouts] == [A, B, C]
    assert len({handout.key for handout in handouts}) == 3
    assert all(handout.lease.expires_at == scene.now + DELAY for handout in handouts)
    assert scene.queue.waiting_here == 0
    assert await scene.sent() == []


async def test_a_settled_submission_is_acked() -> None:
    scene = Scene()
    tag = scene.deliver(A)
    scene.settle(await scene.poll())
    assert await scene.sent() == [("ack", tag)]


async def test_a_submission_whose_lease_ran_out_is_given_back_once() -> None:
    scene = Scene()
    tag = scene.deliver(A)
    await scene.poll()
    scene.let_run_out()
    scene.let_run_out()
    assert await scene.sent() == [("requeue", tag)]


async def test_the_redelivery_of_a_settled_submission_is_debris() -> None:
    scene = Scene()
    scene.deliver(A)
    handout = await scene.poll()
    scene.queue.lost()
    scene.settle(handout)
    tag = scene.deliver(A)
    assert await scene.sent() == [("ack", tag)]
    assert scene.queue.waiting_here == 0


async def test_the_redelivery_of_a_leased_submission_is_kept_and_handed_to_nobody() -> None:
    scene = Scene()
    scene.deliver(A)
    handout = await scene.poll()
    scene.queue.lost()
    tag = scene.deliver(A)
    assert scene.queue.waiting_here == 0
    assert await scene.sent() == []
    scene.settle(handout)
    assert await scene.sent() == [("ack", tag)]


async def test_an_adopted_delivery_goes_back_when_its_lease_runs_out() -> None:
    scene = Scene()
    scene.deliver(A)
    await scene.poll()
    scene.queue.lost()
    tag = scene.deliver(A)
    scene.let_run_out()
    assert await scene.sent() == [("requeue", tag)]


async def test_a_second_copy_of_a_submission_is_acked_and_the_first_stays() -> None:
    scene = Scene()
    first = scene.deliver(A)
    second = scene.deliver(A)
    assert await scene.sent() == [("ack", second)]
    scene.settle(await scene.poll())
    assert await scene.sent() == [("ack", second), ("ack", first)]


async def test_what_nobody_asked_for_goes_back_the_oldest_first() -> None:
    scene = Scene()
    tags = [scene.deliver(uuid) for uuid in (A, B, C)]
    leased = await scene.poll()
    scene.queue.give_back()
    assert await scene.sent() == [("requeue", tag) for tag in tags[1:]]
    assert scene.queue.waiting_here == 0
    scene.settle(leased)
    assert (await scene.sent())[-1] == ("ack", tags[0])


async def test_a_late_result_takes_the_submission_out_of_the_buffer() -> None:
    scene = Scene()
    scene.deliver(A)
    handout = await scene.poll()
    scene.let_run_out()
    tag = scene.deliver(A)
    assert scene.queue.waiting_here == 1
    scene.settle(handout)
    assert scene.queue.waiting_here == 0
    assert (await scene.sent())[-1] == ("ack", tag)


async def test_a_late_result_that_fails_to_arrive_leaves_no_delivery_behind() -> None:
    scene = Scene()
    scene.deliver(A)
    handout = await scene.poll()
    scene.let_run_out()
    again = scene.deliver(A)
    scene.leases.begin_settling(handout.lease)
    scene.leases.settling_failed(handout.lease)
    scene.let_run_out()
    # Given back, so it must not be handed out from here: another gateway may have it.
    assert (await scene.sent())[-1] == ("requeue", again)
    assert scene.queue.waiting_here == 0


async def test_a_delivery_that_came_while_its_late_result_was_on_its_way_is_not_stuck_if_that_fails() -> None:
    scene = Scene()
    scene.deliver(A)
    handout = await scene.poll()
    scene.let_run_out()
    scene.leases.begin_settling(handout.lease)
    again = scene.deliver(A)
    assert scene.queue.waiting_here == 0
    scene.leases.settling_failed(handout.lease)
    scene.let_run_out()
    assert (await scene.sent())[-1] == ("requeue", again)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"body": b"no JSON"},
        {"body": b"[]"},
        {"body": b"\xff\xfe"},
        {"body": b"[" * 100_000},
        {"body": b'{"xqueue_body": 7}'},
        {"body": b'{"xqueue_body": "x", "xqueue_files": ["a"]}'},
        {"correlation_id": None},
        {"correlation_id": "A" * 32},
        {"headers": {}},
    ],
    ids=lambda spoilt: f"{spoilt}"[:40],
)
async def test_what_is_no_submission_is_parked(spoilt: dict[str, Any]) -> None:
    scene = Scene()
    tag = scene.deliver(A, **spoilt)
    assert await scene.sent() == [("park", tag)]
    assert scene.queue.waiting_here == 0


async def test_a_release_on_a_channel_that_is_gone_disturbs_nobody() -> None:
    scene = Scene()

    class Gone(FakeChannel):
        async def basic_ack(self, tag: int, *, wait: bool) -> None:
            raise RuntimeError("this channel is closed")

    scene.deliver(A, Gone())
    scene.settle(await scene.poll())
    assert await scene.sent() == []


@pytest.mark.parametrize("lose", [CourseQueue.lost, CourseQueue.give_back])
async def test_a_delivery_that_is_no_longer_here_is_not_handed_out(lose: Callable[[CourseQueue], None]) -> None:
    scene = Scene()
    scene.deliver(A)
    lose(scene.queue)
    assert scene.queue.buffered() == (0, 0.0, 0)
