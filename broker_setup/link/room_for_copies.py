"""How many bytes of copies are on their way to the broker at once: large ones take turns, small ones never wait."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# What a broker with a slow disk, 4 MB/s, confirms in the time in which a connection that answers nothing is given up.
MOST_BYTES = 32 * 1024 * 1024
# Copies up to this size need no room: prefetch bounds how many there are.
SMALL_BYTES = 256 * 1024


class RoomForCopies:
    """Room for so many bytes, first come, first served; one that is larger than all of it has it alone."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._most = self._left = most
        self._turn = asyncio.Lock()
        self._freed = asyncio.Event()

    @asynccontextmanager
    async def taken(self, size: int) -> AsyncIterator[None]:
        """Have room for a copy of `size` bytes for as long as the block runs; wait for it before."""
        size = 0 if size <= SMALL_BYTES else min(size, self._most)
        if size:
            async with self._turn:
                while self._left < size:
                    self._freed.clear()
                    await self._freed.wait()
                self._left -= size
        try:
            yield
        finally:
            self._left += size
            self._freed.set()
