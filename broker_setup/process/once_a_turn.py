"""Does something once at the end of a turn of the event loop, however often it was asked for in that."""

import asyncio
from collections.abc import Callable


class OnceATurn:
    """Call it to have the work done soon."""

    __slots__ = ("_is_due", "_work")

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._is_due = False

    def __call__(self) -> None:
        """Have it done, unless it is to be done anyway."""
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_soon(self._do)

    def _do(self) -> None:
        self._is_due = False
        self._work()
