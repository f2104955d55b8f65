"""The pace of one LMS: how many of its callbacks are under way, how quick it is, whether it is asked at all; no I/O."""

from collections.abc import Collection
from typing import Generic, TypeVar

from callback_relay.breaker import Breaker
from callback_relay.job import Job
from callback_relay.ladder import Ladder
from callback_relay.queued import Queued
from callback_relay.verdict import Kind

J = TypeVar("J", bound=Job)

# How much the newest callback's time counts in the average.
NEWEST = 0.2


class Pace(Generic[J]):
    """One LMS (scheme://host:port): its callbacks under way and its results at hand."""

    def __init__(self, ladder: Ladder, most_under_way: int) -> None:
        """Have at most so many callbacks under way."""
        self.breaker = Breaker(ladder)
        self._most = most_under_way
        self._seconds = 0.0
        self._since: dict[J, float] = {}  # under way, with when each was begun
        self.waiting: Queued[J] = Queued()  # at hand and not under way
        self.ready: dict[J, None] = {}  # of these, the ones whose turn it is in their lines
        self.away = 0  # on a rung
        self.used_at = 0.0

    @property
    def under_way(self) -> Collection[J]:
        """The jobs whose callbacks are under way."""
        return self._since.keys()

    def has_room(self, room: int) -> bool:
        """Whether one more callback may be under way where there is `room` for so many, of any LMS.

        One LMS takes no more than it leaves free, so there is always some room for another.
        """
        return len(self._since) < max(1, min(self._most, room))

    @property
    def is_idle(self) -> bool:
        """Whether there is no result of this LMS that we know of."""
        return not self._since and not self.waiting and not self.away

    @property
    def is_at_ease(self) -> bool:
        """Whether there is nothing to remember of it."""
        return self.is_idle and self.breaker.is_closed

    def forget(self, job: J) -> None:
        """Note that a job is not waiting here any more."""
        self.waiting.discard(job)
        self.ready.pop(job, None)

    def began(self, job: J, now: float) -> None:
        """Note that a callback is under way."""
        self.forget(job)
        self._since[job] = self.used_at = now

    def ended(self, job: J, kind: Kind, now: float) -> None:
        """Note how a callback ended."""
        seconds = now - self._since.pop(job)
        self._seconds = seconds if not self._seconds else self._seconds + NEWEST * (seconds - self._seconds)
        self.breaker.ended(kind, now)

    def drain_seconds(self, now: float) -> float:
        """Estimate how long those that wait here will take; those of one URL go one at a time."""
        return self._seconds_each(now) * max(len(self.waiting) / self._most, self.waiting.longest)

    def all_drain_seconds(self, now: float, in_line: int) -> float:
        """Estimate how long all that are on their way to this LMS will take, where one line has `in_line` of them."""
        return self._seconds_each(now) * max((len(self.waiting) + self.away) / self._most, in_line)

    def newest_of_the_slowest(self) -> J:
        """Return the result that will be through last: of its longest line, if that takes longer than all the rest."""
        is_serial = self.waiting.longest > len(self.waiting) / self._most
        return self.waiting.newest_of_longest() if is_serial else self.waiting.newest()

    def _seconds_each(self, now: float) -> float:
        # A callback that hangs counts for as long as it has hung.
        oldest = now - next(iter(self._since.values())) if self._since else 0.0
        return max(self._seconds, oldest)
