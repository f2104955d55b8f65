"""The numbers that a connection's channels have: each is used again once its channel has closed on both sides."""

from collections import deque

from .errors import AmqpError


class ChannelNumbers:
    """Hands out numbers from 1."""

    def __init__(self) -> None:
        self._free: deque[int] = deque()
        self._highest = 0

    def take(self, most: int) -> int:
        """Return a number up to `most` that no channel has; raise AmqpError where there is none."""
        if self._free:
            return self._free.popleft()
        if self._highest >= most:
            raise AmqpError(f"the broker allows {most} channels on a connection")
        self._highest += 1
        return self._highest

    def give(self, number: int) -> None:
        """Take a number back."""
        self._free.append(number)
