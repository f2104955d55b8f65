"""Who has to go when there are more connections than there is room: who asks nothing, or drips, in a fair order."""

from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

# A client that has just connected is about to ask something.
GRACE_SECONDS = 1.0
# Where there is no room a body has to come at this rate, which any line has; a moment may be without a byte of it.
LEAST_BYTES_PER_SECOND = 4096
PATIENCE_SECONDS = 2.0
# Connections beyond the room that may stay long enough to be told that there is none, or that this process is alive.
LATE_ROOM = 20

T = TypeVar("T")


class Crowd(Generic[T]):
    """All connections: those that have asked nothing yet, those that ask nothing any more, those with a request.

    Of the last, those whose body is still to come, and those that are served.
    """

    def __init__(self, room: int, is_kept: Callable[[T], bool], clock: Callable[[], float] = monotonic) -> None:
        """`is_kept`: whether it is we who don't read what a connection sends."""
        self._room = room
        self._is_kept = is_kept
        self._clock = clock
        # When each came, and since when each has its answer; the first have waited longest.
        self._silent: dict[T, float] = {}
        self._answered: dict[T, float] = {}
        # Until when each may send nothing more of its body.
        self._sending: dict[T, float] = {}
        self._served: set[T] = set()

    @property
    def is_too_large(self) -> bool:
        """Whether there are more than there is room for."""
        return self._size > self._room

    @property
    def _size(self) -> int:
        return len(self._silent) + len(self._answered) + len(self._sending) + len(self._served)

    def came(self, connection: T) -> T | None:
        """Let a connection in; return the one that has to go for it, which counts as gone."""
        self._silent[connection] = self._clock()
        goes = self._who_goes(connection) if self.is_too_large else None
        if goes is not None:
            self.left(goes)
        return goes

    def asks(self, connection: T) -> None:
        """Note that a request has begun, and is whole but for its body."""
        # Nearly always it is one that had its answer.
        if self._answered.pop(connection, None) is None:
            self.left(connection)
        self._sending[connection] = self._clock() + PATIENCE_SECONDS

    def sends(self, connection: T, count: int) -> None:
        """Note that some bytes came, of a body if it sends one."""
        due = self._sending.get(connection)
        if due is not None:
            due += count / LEAST_BYTES_PER_SECOND
            self._sending[connection] = min(due, self._clock() + PATIENCE_SECONDS)

    def is_served(self, connection: T) -> None:
        """Note that the request is whole, unless it has its answer already."""
        if self._sending.pop(connection, None) is not None:
            self._served.add(connection)

    def has_answer(self, connection: T) -> None:
        """Note that nothing is asked on this connection any more."""
        if connection in self._served:
            self._served.remove(connection)
        elif self._sending.pop(connection, None) is None:
            return
        self._answered[connection] = self._clock()

    def left(self, connection: T) -> None:
        """Forget a connection."""
        self._silent.pop(connection, None)
        self._answered.pop(connection, None)
        self._sending.pop(connection, None)
        self._served.discard(connection)

    def _who_goes(self, newcomer: T) -> T | None:
        # Those that never asked anything go first, and those that drip: a flood of them must not cost others, who are
        # served or may ask again, their place.
        goes = self._longest(self._silent, newcomer) or self._slowest() or self._longest(self._answered, newcomer)
        return goes or (next(iter(self._silent)) if self._size > self._room + LATE_ROOM else None)

    def _longest(self, quiet: dict[T, float], newcomer: T) -> T | None:
        """Return who is quiet for longest, if anybody is for more than a moment."""
        oldest = next(iter(quiet), None)
        if oldest is newcomer or oldest is None or self._clock() - quiet[oldest] < GRACE_SECONDS:
            return None
        return oldest

    def _slowest(self) -> T | None:
        """Return who is behind with its body for longest, if anybody is."""
        now = self._clock()
        while self._sending:
            slowest = min(self._sending, key=self._sending.__getitem__)
            if self._sending[slowest] > now:
                return None
            if not self._is_kept(slowest):
                return slowest
            self._sending[slowest] = now + PATIENCE_SECONDS
        return None
