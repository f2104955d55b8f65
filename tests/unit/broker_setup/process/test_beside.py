"""What is large is done in a thread, and begins one by one where it can't be."""

import asyncio
import threading
from itertools import pairwise

from broker_setup.process.beside import LARGE_BYTES, Portions, Turns, Turnstile, acting_for, beside


async def test_what_is_large_is_done_in_one_thread_and_what_is_small_here_and_now() -> None:
    here = threading.get_ident()
    assert await beside(LARGE_BYTES, threading.get_ident) == here
    there = await asyncio.gather(*(beside(LARGE_BYTES + 1, threading.get_ident) for _ in range(20)))
    assert len(set(there)) == 1
    assert here not in there


async def test_the_many_large_ones_of_one_account_do_not_stand_before_those_of_another() -> None:
    order, go_on = list[str](), threading.Event()

    def work(whose: str) -> None:
        go_on.wait(60)
        order.append(whose)

    async def ask(whose: str) -> None:
        acting_for.set(whose)
        await beside(LARGE_BYTES + 1, work, whose)

    many = [asyncio.create_task(ask("many")) for _ in range(10)]
    await asyncio.sleep(0)
    few = [asyncio.create_task(ask(whose)) for whose in ("one", "another")]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(*many, *few)
    # What began before them, and one of each.
    assert order[:4] == ["many", "many", "one", "another"]


async def test_who_gives_up_waiting_for_a_turn_leaves_it_to_the_next() -> None:
    go_on = threading.Event()
    first, gives_up, last = (asyncio.create_task(beside(LARGE_BYTES + 1, go_on.wait, 60)) for _ in range(3))
    await asyncio.sleep(0)
    gives_up.cancel()
    go_on.set()
    assert all(await asyncio.gather(first, last))


async def test_large_ones_begin_one_by_one_and_others_have_their_turn_between_them() -> None:
    turnstile, order = Turnstile(), list[str]()

    async def begin(what: str, size: int) -> None:
        await turnstile.turn(size)
        order.append(what)

    async def others() -> None:
        for _ in range(50):
            order.append("another")
            await asyncio.sleep(0)

    large = [begin(f"large {number}", LARGE_BYTES + 1) for number in range(5)]
    await asyncio.gather(*large, begin("small", LARGE_BYTES), others())
    at = [order.index(f"large {number}") for number in range(5)]
    assert order.index("small") < at[0]
    assert all("another" in order[one:next_one] for one, next_one in pairwise(at))


async def test_only_so_many_have_their_turn_at_once_whoever_gives_up() -> None:
    turns, most, now, done = Turns(3), 0, 0, 0

    async def work(number: int) -> None:
        nonlocal most, now, done
        acting_for.set(str(number % 4))
        async with turns.turn():
            now += 1
            most = max(most, now)
            try:
                await asyncio.sleep(0)
            finally:
                now -= 1
        done += 1

    tasks = [asyncio.create_task(work(number)) for number in range(200)]
    for number, task in enumerate(tasks):
        if number % 3 == 0:
            await asyncio.sleep(0)
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert most == 3
    assert done >= 200 - 200 // 3 - 1
    # All are free again.
    await asyncio.gather(*(work(0) for _ in range(3)))
    assert (most, now) == (3, 0)


async def test_the_many_that_begin_one_by_one_do_not_stand_before_those_of_another_account() -> None:
    turnstile, order = Turnstile(), list[str]()

    async def begin(whose: str) -> None:
        acting_for.set(whose)
        await turnstile.turn(LARGE_BYTES + 1)
        order.append(whose)

    await asyncio.gather(*(asyncio.create_task(begin(whose)) for whose in ["many"] * 20 + ["one"]))
    assert order.index("one") < 3


async def test_no_more_begins_in_a_round_than_a_portion_and_each_account_has_its_turn() -> None:
    portions, begun, rounds = Portions(100), list[tuple[int, str]](), 0

    async def begin(whose: str, size: int) -> None:
        acting_for.set(whose)
        await portions.turn(size)
        begun.append((rounds, whose))

    tasks = [asyncio.create_task(begin("many", 40)) for _ in range(20)]
    tasks += [asyncio.create_task(begin("one", 400))]
    while not all(task.done() for task in tasks):
        await asyncio.sleep(0)
        rounds += 1
    a_round = [which for which, _ in begun]
    assert max(map(a_round.count, a_round)) <= 2
    assert [whose for _, whose in begun].index("one") < 5
