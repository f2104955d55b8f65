"""Does what takes long for a large message beside the event loop, so that everybody else gets their turn meanwhile."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TypeVar, TypeVarTuple
from weakref import WeakValueDictionary

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

# What is larger takes longer than a millisecond or so to decode, encode, hash or copy.
LARGE_BYTES = 256 * 1024

# On whose behalf something is done: an account, or another name by which those are told apart who take turns.
acting_for: ContextVar[str] = ContextVar("acting_for", default="")


class OneThread:
    """Calls functions in one thread. Of those that it is asked for on one behalf, only one at a time stands in line.

    So nobody's many make another's one wait for longer than for one of each. One thread: each more takes its share of
    the interpreter from the event loop, and all of them are done no sooner.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def call(self, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """Call a function when it is its turn."""
        turn = self._turns.setdefault(acting_for.get(), asyncio.Lock())
        async with turn:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


_thread = OneThread("beside")


async def beside(size: int, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """Call a function of something of `size` bytes or characters: here and now, or in the thread if it is large."""
    if size <= LARGE_BYTES:
        return function(*arguments)
    return await _thread.call(function, *arguments)


class Turnstile:
    """Lets what can't be done in a thread begin one by one, with a round of the event loop in between."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def turn(self, size: int) -> None:
        """Return at once for something small, else when it is its turn: the caller goes on without an await."""
        if size > LARGE_BYTES:
            async with self._turn:
                await asyncio.sleep(0)
