"""What a consumer tells impatient polls while the broker is slow to start or to rotate it."""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from broker_setup.amqp.errors import PRECONDITION_FAILED, ChannelClosedError
from gateway.leasing import consumer as module
from gateway.leasing.consumer import SubmissionsConsumer
from gateway.leasing.deliveries import Buffered, Deliveries
from gateway.leasing.demand import MAX_BUFFERED_BYTES, Step, View, next_step
from tests.support.leasing import turns

OnMessage = Callable[[Any], None]


class SlowBroker:
    """Link, channel and queue in one; each consumer begins only when the test lets it."""

    def __init__(self) -> None:
        self.on_closed: set[Any] = set()
        self.on_cancelled: set[Any] = set()
        self.is_up = True
        self.is_closed = False
        self.prefetch: list[int] = []
        self.cancelled: list[str] = []
        self.begin = asyncio.Semaphore(0)
        self.on_message: OnMessage | None = None

    async def channel(self) -> "SlowBroker":
        return self

    async def set_prefetch(self, number: int) -> None:
        self.prefetch.append(number)

    async def consume(self, _: str, on_message: OnMessage) -> str:
        await self.begin.acquire()
        self.on_message = on_message
        return f"consumer {len(self.prefetch)}"

    async def cancel(self, tag: str) -> None:
        self.cancelled.append(tag)

    async def close(self) -> None:
        self.is_closed = True


class Polls(Deliveries):
    """The queue's side, reduced to a poll that waits; a delivery is leased the moment it comes."""

    polls = 1

    def received(self, message: Any) -> None:
        self.polls = 0

    def give_back(self) -> None:
        pass

    def buffered(self) -> Buffered:
        return Buffered(0, 0, 0.0, self.polls)


def consumer_for(link: Any, polls: Polls) -> SubmissionsConsumer:
    async def never() -> bool:
        return False

    return SubmissionsConsumer(
        link, "queue", polls, received=polls.received, give_back=polls.give_back, is_paused=never
    )


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0)


async def test_polls_keep_hoping_while_a_consumer_starts_and_while_it_rotates() -> None:
    broker, polls = SlowBroker(), Polls()
    link: Any = broker
    consumer = consumer_for(link, polls)
    running = asyncio.create_task(consumer.run())
    consumer.demand(1)
    await until(lambda: broker.prefetch == [1])
    assert not consumer.is_consuming
    assert consumer.hopeful_until == float("inf")

    broker.begin.release()
    await until(lambda: consumer.is_consuming)
    assert consumer.hopeful_until < float("inf"), "nothing came, so the queue may be empty"

    assert broker.on_message
    broker.on_message(SimpleNamespace(consumer_tag="consumer 1", body=b"x"))
    assert consumer.hopeful_until == float("inf"), "the prefetch is used up, so more may wait in the broker"

    polls.polls = 1
    consumer.demand(1)
    await until(lambda: broker.prefetch == [1, 2])
    assert consumer.is_consuming
    assert consumer.hopeful_until == float("inf"), "the new consumer has not begun: more may still wait in the broker"

    broker.begin.release()
    await until(lambda: broker.cancelled == ["consumer 1"])
    assert consumer.hopeful_until < float("inf")
    running.cancel()
    await asyncio.wait({running})
    assert broker.is_closed


async def test_after_a_blip_of_the_channel_it_consumes_again_for_a_poll_that_has_waited_for_long() -> None:
    broker, polls = SlowBroker(), Polls()
    link: Any = broker
    consumer = consumer_for(link, polls)
    running = asyncio.create_task(consumer.run())
    consumer.demand(1)
    broker.begin.release()
    await until(lambda: consumer.is_consuming)
    consumer._last_poll -= 20  # it asked for a minute
    for closed in list(broker.on_closed):
        closed(broker, None)
    assert not consumer.is_consuming
    broker.begin.release()
    await until(lambda: consumer.is_consuming)
    running.cancel()
    await asyncio.wait({running})


class Shelf(Polls):
    """A buffer that nobody takes from."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []
        self.given_back: list[int] = []

    def received(self, message: Any) -> None:
        self.sizes.append(len(message.body))

    def give_back(self) -> None:
        self.given_back += self.sizes
        self.sizes = []

    def buffered(self) -> Buffered:
        return Buffered(len(self.sizes), sum(self.sizes), 0.0, self.polls)


async def test_large_bodies_after_many_small_ones_are_given_back_as_they_come() -> None:
    broker, shelf = SlowBroker(), Shelf()
    link: Any = broker
    consumer = consumer_for(link, shelf)
    broker.begin.release()
    running = asyncio.create_task(consumer.run())
    consumer.demand(64)
    await until(lambda: consumer.is_consuming)
    assert broker.prefetch == [64]
    assert broker.on_message
    large = SimpleNamespace(consumer_tag="consumer 1", body=bytes(MAX_BUFFERED_BYTES // 3))
    shelf.polls = 0
    most = 0
    for _ in range(64):
        broker.on_message(large)
        await asyncio.sleep(0)
        most = max(most, sum(shelf.sizes))
    assert most <= MAX_BUFFERED_BYTES + 2 * len(large.body), "of 64 that the broker may send, so many are kept"
    assert broker.cancelled == ["consumer 1"]
    shelf.polls = 1
    consumer.demand(64)
    await until(lambda: len(broker.prefetch) == 2)
    assert broker.prefetch[1] == 1
    running.cancel()
    await asyncio.wait({running})


async def test_what_comes_in_one_turn_of_the_loop_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    broker, polls = SlowBroker(), Polls()
    link: Any = broker
    consumer = consumer_for(link, polls)
    running = asyncio.create_task(consumer.run())
    consumer.demand(64)
    broker.begin.release()
    await until(lambda: consumer.is_consuming)
    polls.polls = 0
    looks = list[View]()

    def counted(view: View) -> Step:
        looks.append(view)
        return next_step(view)

    monkeypatch.setattr(module, "next_step", counted)
    monkeypatch.setattr(module, "TICK_SECONDS", 600.0)
    await turns()
    looks.clear()
    for _ in range(8):
        consumer.demand(1)
        consumer.nudge()
    await turns(20)
    assert len(looks) == 1
    assert next_step(looks[0]) is Step.STAY
    running.cancel()
    await asyncio.wait({running})


class Link(SlowBroker):
    """Each link.channel() opens another, as the real one does."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[SlowBroker] = []

    async def channel(self) -> SlowBroker:
        self.opened.append(SlowBroker())
        self.opened[-1].begin.release()
        self.opened[-1].begin.release()
        return self.opened[-1]


async def rotated(link: Link, polls: Polls) -> tuple[SubmissionsConsumer, "asyncio.Task[None]"]:
    """Return a consumer that has rotated once, and left a delivery unsettled with the consumer that it cancelled."""
    consumer = consumer_for(link, polls)
    running = asyncio.create_task(consumer.run())
    consumer.demand(1)
    await until(lambda: consumer.is_consuming)
    on_message = link.opened[0].on_message
    assert on_message
    on_message(SimpleNamespace(consumer_tag="consumer 1", body=b"x"))
    polls.polls = 1
    consumer.demand(1)
    await until(lambda: link.opened[0].cancelled == ["consumer 1"])
    assert polls.unacked("consumer 1") == 1
    return consumer, running


async def test_a_406_for_what_a_cancelled_consumer_holds_voids_all_holds_and_it_begins_anew() -> None:
    # From 4.3 on, so a channel ends whose rotated consumer has had a delivery for longer than the timeout.
    link, polls = Link(), Polls()
    consumer, running = await rotated(link, polls)
    timeout = ChannelClosedError("PRECONDITION_FAILED - delivery acknowledgement timed out", PRECONDITION_FAILED)
    for closed in list(link.opened[0].on_closed):
        closed(link.opened[0], timeout)
    assert polls.unacked("consumer 1") == 0, "nothing is acked any more that the broker has taken back"
    assert not consumer.is_consuming
    await until(lambda: len(link.opened) == 2 and consumer.is_consuming)
    running.cancel()
    await asyncio.wait({running})


async def test_a_consumer_that_the_broker_cancels_at_a_timeout_gives_back_all_and_begins_anew() -> None:
    # From 4.3 on a timeout ends the consumer alone and leaves its channel open.
    link, polls = Link(), Polls()
    consumer, running = await rotated(link, polls)
    for cancelled in list(link.opened[0].on_cancelled):
        cancelled("consumer 2")
    assert polls.unacked("consumer 1") == 0
    await until(lambda: len(link.opened) == 2 and consumer.is_consuming)
    assert link.opened[0].is_closed, "or what is held there would stay with us, forgotten"
    running.cancel()
    await asyncio.wait({running})
