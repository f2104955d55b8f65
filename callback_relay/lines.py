"""Who is next: the results of one callback URL stand in a line, in their order, and go one at a time; no I/O.

A result that waits on a rung keeps its place. All of it is this process's memory: a relay that was just started does
not know what waits on the rungs, nor what was delivered before, so order and repeats are best effort across a restart.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

from callback_relay.job import Identity, Job

J = TypeVar("J", bound=Job)

# About 30 MB. A repeat follows its first within minutes (a gateway killed between publishing a result and settling
# the submission, so that it is graded again), while this many callbacks take the better part of an hour at 30/s.
REMEMBERED = 100_000
# About 100 MB. What is on a rung beyond this many loses its place in its line, and nothing else.
MAX_AWAY = 200_000
# A line is read from its front, so it must not grow long: a student sends one answer in 5 s, while an account of a
# stranger may name one URL a million times. What is beyond loses its place, likewise.
MAX_IN_LINE = 500
# What comes off a rung stands behind what is in the results queue. Later than this it is taken for gone.
GRACE_SECONDS = 60.0


@dataclass(eq=False, slots=True)
class Place(Generic[J]):
    """A result's place in its line; without its job it is away, on a rung, until about `due` (any clock, seconds)."""

    identity: Identity
    url: str
    origin: str
    graded_at: float
    job: J | None
    due: float = 0.0


class Lines(Generic[J]):
    """The lines of all callback URLs that have a result under way, and what was delivered lately."""

    def __init__(self, remembered: int = REMEMBERED, max_away: int = MAX_AWAY) -> None:
        self._lines: dict[str, list[Place[J]]] = {}
        self._places: dict[J, Place[J]] = {}
        self._delivered: OrderedDict[Identity, None] = OrderedDict()
        self._answered: OrderedDict[str, None] = OrderedDict()  # submissions
        self._remembered = remembered
        self._away: list[tuple[float, int, Place[J]]] = []
        self._max_away = max_away
        self._numbers = count()

    def is_delivered(self, identity: Identity) -> bool:
        """Tell whether the LMS has taken this result before, or is it a notice, any result of its submission.

        That used up what the notice is for: its submission was redriven, say, by a redrive that was killed half way.
        """
        return identity in self._delivered or (identity.notice and identity.submission in self._answered)

    def join(self, job: J) -> bool:
        """Give a job its place, the one it had if it was away, else the last of its line; tell whether it was away."""
        line = self._lines.setdefault(job.url, [])
        for place in line:
            if place.job is None and place.identity == job.identity:
                place.job = job
                self._places[job] = place
                return True
        self._places[job] = place = Place(job.identity, job.url, job.origin, job.graded_at, job)
        line.append(place)
        return False

    def first(self, url: str) -> Place[J] | None:
        """Return the place whose turn it is; None if there is no line."""
        line = self._lines.get(url)
        return line[0] if line else None

    def leave(self, job: J, *, delivered: bool = False) -> None:
        """Take a job out of its line: it is delivered, or parked, or was a repeat."""
        if delivered:
            self._delivered[job.identity] = None
            self._answered[job.identity.submission] = None
            for remembered in (self._delivered, self._answered):
                if len(remembered) > self._remembered:
                    remembered.popitem(last=False)
        self._remove(self._places.pop(job))

    def send_away(self, job: J, due: float) -> bool:
        """Keep a job's place until about `due`, when it comes back; tell whether there was room to remember it."""
        place = self._places.pop(job)
        place.job, place.due = None, due
        line = self._lines[place.url]
        if len(self._away) >= self._max_away or (len(line) > MAX_IN_LINE and place is not line[0]):
            self._remove(place)
            return False
        heappush(self._away, (due + GRACE_SECONDS, next(self._numbers), place))
        return True

    def length(self, url: str) -> int:
        """Return how many results stand in a line, here or on rungs."""
        return len(self._lines.get(url, ()))

    def drop_delivered(self, url: str) -> int:
        """Take away, from the front of a line, places of results on rungs that the LMS has by now; tell how many.

        These are copies: what comes of them is a repeat, and nobody need wait for it.
        """
        dropped = 0
        while (first := self.first(url)) and first.job is None and self.is_delivered(first.identity):
            self._remove(first)
            dropped += 1
        return dropped

    def expire(self, now: float) -> list[Place[J]]:
        """Give up, and return, the places of those that did not come back."""
        expired = []
        while self._away and self._away[0][0] <= now:
            _, _, place = heappop(self._away)
            # It may have come back, and gone away again, since.
            if place.job is None and place.due + GRACE_SECONDS <= now and place in self._lines.get(place.url, ()):
                self._remove(place)
                expired.append(place)
        return expired

    def behind(self, url: str) -> list[J]:
        """Return the jobs of a line that are at hand and not the first."""
        return [place.job for place in self._lines.get(url, ())[1:] if place.job is not None]

    def all_graded_at(self) -> Iterator[float]:
        """Yield when each result that is in a line was graded (seconds since the epoch)."""
        return (place.graded_at for line in self._lines.values() for place in line)

    def _remove(self, place: Place[J]) -> None:
        line = self._lines[place.url]
        line.remove(place)
        if not line:
            del self._lines[place.url]
