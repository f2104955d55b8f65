"""Deliveries in memory that wait for a poll, and polls that wait for a delivery."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Buffer(Generic[T]):
    """Items by key, first in first out; `push`, `pop` and `remove` are synchronous, so nothing comes in between."""

    def __init__(self) -> None:
        self._items: dict[bytes, T] = {}
        self._waiters: OrderedDict[asyncio.Future[None], None] = OrderedDict()  # in the order in which they came

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items.values())

    @property
    def waiting(self) -> int:
        """How many callers wait for an item."""
        return len(self._waiters)

    def first(self) -> T | None:
        """Return the item that has been here longest, or None."""
        return next(iter(self._items.values()), None)

    def push(self, key: bytes, item: T) -> None:
        """Add an item and wake one who waits."""
        self._items[key] = item
        self._wake_one()

    def pop(self) -> T | None:
        """Remove and return the item that has been here longest, or None."""
        key = next(iter(self._items), None)
        return None if key is None else self._items.pop(key)

    def remove(self, key: bytes) -> T | None:
        """Remove and return the item of that key, or None."""
        return self._items.pop(key, None)

    def drain(self) -> list[T]:
        """Remove and return every item."""
        items = list(self._items.values())
        self._items.clear()
        return items

    async def wait(self, seconds: float) -> None:
        """Return when there may be an item, after `seconds` at the latest; the caller pops, at once."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        timer = loop.call_later(seconds, _wake, waiter)
        self._waiters[waiter] = None
        try:
            await waiter
        except asyncio.CancelledError:
            # Woken and cancelled at once: the item is still here, and for whoever waits next.
            if waiter.done() and not waiter.cancelled():
                self._wake_one()
            raise
        finally:
            timer.cancel()
            self._waiters.pop(waiter, None)

    def wake(self) -> None:
        """Let all who wait return."""
        while self._waiters:
            self._wake_one()

    def _wake_one(self) -> None:
        while self._waiters:
            waiter, _ = self._waiters.popitem(last=False)
            if not waiter.done():
                waiter.set_result(None)
                return


def _wake(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)
