"""What is large is done in a thread, and begins one by one where it can't be."""

import asyncio
import threading
from itertools import pairwise

from broker_setup.beside import LARGE_BYTES, Turnstile, beside


async def test_what_is_large_is_done_in_one_thread_and_what_is_small_here_and_now() -> None:
    here = threading.get_ident()
    assert await beside(LARGE_BYTES, threading.get_ident) == here
    there = await asyncio.gather(*(beside(LARGE_BYTES + 1, threading.get_ident) for _ in range(20)))
    assert len(set(there)) == 1
    assert here not in there


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
