"""What callers see of a gateway that was told to stop: it is not ready any more, and who waits for work is answered."""

import asyncio
from typing import Any


class Departure:
    """How far the stop is: told; and then over, when nobody waits any more."""

    def __init__(self) -> None:
        self.has_begun = False
        self.is_over = False
        self._waits: set[asyncio.Task[Any]] = set()

    def begin(self) -> None:
        """Have whoever asks for it be told that this gateway is about to stop; all else goes on."""
        self.has_begun = True

    def end_waits(self) -> None:
        """End all waits, and let no other begin: a poll that is cut off would be a failure to whoever polls."""
        self.is_over = True
        for wait in self._waits:
            wait.cancel()

    def ends(self, wait: asyncio.Task[Any]) -> None:
        """Cancel this one when waits end."""
        self._waits.add(wait)

    def forgets(self, wait: asyncio.Task[Any]) -> None:
        """Leave this one alone, which has ended."""
        self._waits.discard(wait)
