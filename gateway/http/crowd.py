"""Who has to go when there are more connections than there is room: those that ask nothing, in a fair order."""

from collections import OrderedDict
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

# A client that has just connected is about to ask something.
GRACE_SECONDS = 1.0
# Connections beyond the room that may stay long enough to be told that there is none, or that this process is alive.
LATE_ROOM = 20

T = TypeVar("T")


class Crowd(Generic[T]):
    """All connections: those that have asked nothing yet, those that ask nothing any more, those with a request."""

    def __init__(self, room: int, clock: Callable[[], float] = monotonic) -> None:
        self._room = room
        self._clock = clock
        # When each came, and since when each has its answer; the first have waited longest.
        self._silent: OrderedDict[T, float] = OrderedDict()
        self._answered: OrderedDict[T, float] = OrderedDict()
        self._asking: set[T] = set()

    @property
    def is_too_large(self) -> bool:
        """Whether there are more than there is room for."""
        return self._size > self._room

    @property
    def _size(self) -> int:
        return len(self._silent) + len(self._answered) + len(self._asking)

    def came(self, connection: T) -> T | None:
        """Let a connection in; return the one that has to go for it, which counts as gone."""
        self._silent[connection] = self._clock()
        goes = self._who_goes(connection) if self.is_too_large else None
        if goes is not None:
            self.left(goes)
        return goes

    def asks(self, connection: T) -> None:
        """Note that a request has begun."""
        self.left(connection)
        self._asking.add(connection)

    def has_answer(self, connection: T) -> None:
        """Note that nothing is asked on this connection any more."""
        if connection in self._asking:
            self._asking.discard(connection)
            self._answered[connection] = self._clock()

    def left(self, connection: T) -> None:
        """Forget a connection."""
        self._silent.pop(connection, None)
        self._answered.pop(connection, None)
        self._asking.discard(connection)

    def _who_goes(self, newcomer: T) -> T | None:
        # Those that never asked anything go first: a flood of them must not cost others, who are served, their place.
        for quiet in (self._silent, self._answered):
            oldest = next(iter(quiet), None)
            if oldest is not None and oldest is not newcomer and self._clock() - quiet[oldest] >= GRACE_SECONDS:
                return oldest
        return next(iter(self._silent)) if self._size > self._room + LATE_ROOM else None
