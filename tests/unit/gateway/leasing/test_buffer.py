"""Items and those who wait for them: fair, and nothing is lost however callers come and go."""

import asyncio
import random
from time import monotonic

import pytest

from gateway.leasing.buffer import Buffer


async def take(buffer: Buffer[int], seconds: float = 60.0) -> int | None:
    """Poll as CourseQueue does: pop, else wait and pop again."""
    deadline = monotonic() + seconds
    while True:
        item = buffer.pop()
        if item is not None:
            return item
        if monotonic() >= deadline:
            return None
        await buffer.wait(deadline - monotonic())


async def until_waiting(buffer: Buffer[int], count: int) -> None:
    async with asyncio.timeout(60):
        while buffer.waiting != count:
            await asyncio.sleep(0)


async def test_items_come_out_in_the_order_in_which_they_went_in() -> None:
    buffer: Buffer[int] = Buffer()
    for number in range(1, 6):
        buffer.push(b"%d" % number, number)
    assert buffer.first() == 1
    assert [buffer.pop() for _ in range(6)] == [1, 2, 3, 4, 5, None]


async def test_an_item_can_be_taken_out_by_its_key_and_all_of_them_at_once() -> None:
    buffer: Buffer[int] = Buffer()
    for number in range(1, 5):
        buffer.push(b"%d" % number, number)
    assert buffer.remove(b"2") == 2
    assert buffer.remove(b"2") is None
    assert len(buffer) == 3
    assert buffer.drain() == [1, 3, 4]
    assert len(buffer) == 0
    assert buffer.first() is None


async def test_whoever_waits_longest_is_served_first() -> None:
    buffer: Buffer[int] = Buffer()
    polls = []
    for number in range(1, 6):
        polls.append(asyncio.create_task(take(buffer)))
        await until_waiting(buffer, number)
    for number in range(1, 6):
        buffer.push(b"%d" % number, number)
        await asyncio.sleep(0)
    assert await asyncio.gather(*polls) == [1, 2, 3, 4, 5]
    assert buffer.waiting == 0


async def test_one_item_wakes_one_caller() -> None:
    buffer: Buffer[int] = Buffer()
    polls = [asyncio.create_task(buffer.wait(5)) for _ in range(3)]
    await until_waiting(buffer, 3)
    buffer.push(b"1", 1)
    done, pending = await asyncio.wait(polls, timeout=0.05)
    assert len(done) == 1
    assert buffer.waiting == len(pending) == 2
    for poll in pending:
        poll.cancel()
    await asyncio.wait(pending)
    assert buffer.waiting == 0


async def test_waiting_ends_in_time_and_leaves_nothing_behind() -> None:
    buffer: Buffer[int] = Buffer()
    start = monotonic()
    await buffer.wait(0.05)
    assert 0.04 < monotonic() - start < 10
    assert buffer.waiting == 0
    await buffer.wait(0)
    assert buffer.waiting == 0


@pytest.mark.parametrize("order", ["cancelled, then woken", "woken, then cancelled"])
async def test_who_is_woken_and_cancelled_in_one_moment_passes_the_item_on(order: str) -> None:
    buffer: Buffer[int] = Buffer()
    first = asyncio.create_task(take(buffer))
    await until_waiting(buffer, 1)
    second = asyncio.create_task(take(buffer))
    await until_waiting(buffer, 2)
    if order == "cancelled, then woken":
        first.cancel()
        buffer.push(b"1", 1)
    else:
        buffer.push(b"1", 1)
        first.cancel()
    assert await asyncio.wait_for(second, 60) == 1
    assert first.cancelled() or first.cancelling()
    await asyncio.wait({first})


async def test_who_times_out_in_the_moment_of_the_wake_leaves_the_item_to_the_next() -> None:
    buffer: Buffer[int] = Buffer()
    await asyncio.gather(buffer.wait(0.02), asyncio.sleep(0.02))
    buffer.push(b"1", 1)
    assert await take(buffer, 1) == 1


@pytest.mark.parametrize("seed", range(8))
async def test_no_item_is_lost_and_none_comes_twice_while_callers_give_up_at_random(seed: int) -> None:
    dice = random.Random(seed)
    buffer: Buffer[int] = Buffer()
    got: list[int] = []

    async def poll() -> None:
        item = await take(buffer, dice.choice([0.0, 0.001, 0.01, 5.0]))
        if item is not None:
            got.append(item)

    polls: list[asyncio.Task[None]] = []
    for number in range(1, 201):
        polls += [asyncio.create_task(poll()) for _ in range(dice.randrange(4))]
        if dice.random() < 0.5:
            await asyncio.sleep(0)
        buffer.push(b"%d" % number, number)
        for victim in dice.sample(polls, min(len(polls), dice.randrange(3))):
            victim.cancel()
        if dice.random() < 0.3:
            await asyncio.sleep(0.0005)
    # Whoever still waits is served as long as there is something; nobody sleeps beside an item.
    while len(buffer):
        polls.append(asyncio.create_task(poll()))
        await asyncio.sleep(0)
    assert sorted(got) == list(range(1, 201))
    for task in polls:
        task.cancel()
    await asyncio.gather(*polls, return_exceptions=True)
    assert buffer.waiting == 0


async def test_nobody_sleeps_while_an_item_lies_there() -> None:
    dice = random.Random(0)
    for _ in range(100):
        buffer: Buffer[int] = Buffer()
        polls = [asyncio.create_task(take(buffer)) for _ in range(5)]
        await until_waiting(buffer, 5)
        buffer.push(b"1", 1)
        for poll in dice.sample(polls, 4):
            poll.cancel()
        done, _ = await asyncio.wait(polls, timeout=1)
        assert len(done) == 5
        assert [poll.result() for poll in polls if not poll.cancelled()] == [1] or len(buffer) == 1
