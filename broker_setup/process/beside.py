"""Does what takes long for a large message beside the event loop, so that everybody else gets their turn meanwhile."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import TypeVar, TypeVarTuple

T = TypeVar("T")
Arguments = TypeVarTuple("Arguments")

# What is larger takes longer than a millisecond or so to decode, encode, hash or copy.
LARGE_BYTES = 256 * 1024
# What is larger than this may take up to a tenth of a second where a stranger wrote it to that end.
MIDDLING_BYTES = 4 * 1024

# On whose behalf something is done: an account, or another name by which those are told apart who take turns.
acting_for: ContextVar[str] = ContextVar("acting_for", default="")


class Turns:
    """Lets so many at once do something; of those who wait, one on each behalf comes in turn.

    So nobody's many make another's one wait for longer than for one of each.
    """

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        # None while any are free.
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def is_free(self) -> bool:
        """Whether whoever comes now need not wait."""
        return self._free > 0

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Go on when it is the caller's turn, which lasts as long as the block."""
        if self._free:
            self._free -= 1
        else:
            await self._wait()
        try:
            yield
        finally:
            self._next()

    async def _wait(self) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(acting_for.get(), deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            # Given and given up in one moment: it is the next one's. Else it is passed over where it stands.
            if not turn.cancelled():
                self._next()
            raise

    def _next(self) -> None:
        while self._waiting:
            whose, line = next(iter(self._waiting.items()))
            turn = line.popleft()
            if line:
                self._waiting.move_to_end(whose)
            else:
                del self._waiting[whose]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


class OneThread:
    """Calls functions in one thread, in turn for all on whose behalf they are.

    One: each thread more takes its share of the interpreter from the event loop, and all of them are done no sooner.
    """

    def __init__(self, name: str) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._turns = Turns(1)

    async def call(self, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
        """Call a function when it is its turn."""
        async with self._turns.turn():
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)


class Turnstile:
    """Lets what can't be done in a thread begin one by one, with a round of the event loop in between.

    Of those who wait, one on each behalf comes in turn.
    """

    def __init__(self, above: int = LARGE_BYTES) -> None:
        self._above = above
        self._turns = Turns(1)

    async def turn(self, size: int) -> None:
        """Return at once for something small, else when it is its turn: the caller goes on without an await."""
        if size > self._above:
            async with self._turns.turn():
                await asyncio.sleep(0)


class Portions:
    """Lets so many bytes begin in each round of the event loop, or one thing that is larger; on each behalf in turn."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._used = 0
        self._turns = Turns(1)

    async def turn(self, size: int) -> None:
        """Return when there is room for `size` bytes in this round: the caller goes on without an await."""
        if self.turn_now(size):
            return
        async with self._turns.turn():
            while self._is_full(size):  # noqa: ASYNC110 - it waits for a round, and each is one
                await asyncio.sleep(0)
            self._use(size)

    def turn_now(self, size: int) -> bool:
        """Take room for `size` bytes in this round, where nobody waits for some and there is enough; say whether."""
        if not self._turns.is_free or self._is_full(size):
            return False
        self._use(size)
        return True

    def _is_full(self, size: int) -> bool:
        return bool(self._used) and self._used + size > self._most

    def _use(self, size: int) -> None:
        if not self._used:
            asyncio.get_running_loop().call_soon(self._begin_round)
        self._used += size

    def _begin_round(self) -> None:
        self._used = 0


_thread = OneThread("beside")
# For what is done here and now: of a hundred who come in one round of the event loop each has a round of its own.
turn_here = Turnstile(MIDDLING_BYTES).turn


async def beside(size: int, function: Callable[[*Arguments], T], *arguments: *Arguments) -> T:
    """Call a function of something of `size` bytes or characters: here, in turn, or in the thread if it is large."""
    if size <= MIDDLING_BYTES:
        return function(*arguments)
    if size <= LARGE_BYTES:
        await turn_here(size)
        return function(*arguments)
    return await _thread.call(function, *arguments)
