"""Ends waits that take too long: one timer for however many wait for as long as each other."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any


class Deadlines:
    """Fails futures that are not done within so many seconds."""

    def __init__(self, seconds: float, error: Callable[[], Exception]) -> None:
        """Fail them with an `error` each."""
        self._seconds = seconds
        self._error = error
        self._limited: deque[tuple[float, asyncio.Future[Any]]] = deque()  # when each is late; the first is the soonest
        self._timer: asyncio.TimerHandle | None = None

    def limit(self, future: asyncio.Future[Any]) -> None:
        """Let a future have that long from now."""
        while self._limited and self._limited[0][1].done():
            self._limited.popleft()
        loop = future.get_loop()
        late_at = loop.time() + self._seconds
        self._limited.append((late_at, future))
        if self._timer is None:
            self._timer = loop.call_at(late_at, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        while self._limited and (self._limited[0][0] <= now or self._limited[0][1].done()):
            _, future = self._limited.popleft()
            if not future.done():
                future.set_exception(self._error())
        self._timer = loop.call_at(self._limited[0][0], self._look, loop) if self._limited else None
