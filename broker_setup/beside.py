"""Does what takes long for a large message beside the event loop, so that everybody else gets their turn meanwhile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

# What is larger takes longer than a millisecond or so to decode, encode, hash or copy.
LARGE_BYTES = 256 * 1024

# One: each thread more takes its share of the interpreter from the event loop, and all of them are done no sooner.
_thread = ThreadPoolExecutor(1, thread_name_prefix="beside")


async def beside(size: int, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """Call a function of something of `size` bytes or characters: here and now, or in the thread if it is large."""
    if size <= LARGE_BYTES:
        return function(*arguments)
    return await asyncio.get_running_loop().run_in_executor(_thread, function, *arguments)


class Turnstile:
    """Lets what can't be done in a thread begin one by one, with a round of the event loop in between."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def turn(self, size: int) -> None:
        """Return at once for something small, else when it is its turn: the caller goes on without an await."""
        if size > LARGE_BYTES:
            async with self._turn:
                await asyncio.sleep(0)
