"""One call for all who ask at the same time: what strangers may ask the broker costs no more than one of them."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Coalesced(Generic[T]):
    """Makes one call for all who ask while another is under way; nobody gets an answer older than its question."""

    def __init__(self, call: Callable[[], Awaitable[T]]) -> None:
        self._call = call
        self._current: asyncio.Task[T] | None = None
        self._next: asyncio.Task[T] | None = None

    async def __call__(self) -> T:
        """Return what a call that begins after this moment returns, or raise what it raises.

        Cancelling who asks, by a timeout or because a client hung up, does not cancel the call.
        """
        return await asyncio.shield(self.begin())

    def begin(self) -> asyncio.Task[T]:
        """Have such a call made, for whoever needs its outcome soon."""
        if self._next is None:
            self._next = asyncio.create_task(self._after(self._current))
            self._next.add_done_callback(_look_at_its_error)
        return self._next

    async def _after(self, current: asyncio.Task[T] | None) -> T:
        if current is not None:
            await asyncio.wait({current})
        self._current, self._next = self._next, None
        return await self._call()


def _look_at_its_error(call: asyncio.Task[T]) -> None:
    # All who asked may have gone; then nobody else asks for it.
    if not call.cancelled():
        call.exception()
