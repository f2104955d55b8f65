"""Who is next: the results of one callback URL and course queue stand in a line and go one at a time; no I/O.

Those of one submission keep their order, also while one of them waits on a rung. Those of different submissions go as
they come: to the LMS only the newest submission's counts, so none of them waits for another that has failed.

All of it is this process's memory: a relay that was just started does not know what waits on the rungs, nor what was
delivered before, so order and repeats are best effort across a restart.
"""

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from typing import Generic, TypeVar

from callback_relay.job import Identity, Job, Line

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
    line: Line
    origin: str
    graded_at: float
    job: J | None
    due: float = 0.0


@dataclass(eq=False, slots=True)
class _Standing(Generic[J]):
    """A line: its places; the job whose turn it is; when the newest submission of all that stood here was sent in."""

    places: list[Place[J]] = field(default_factory=list)
    active: J | None = None
    newest: float = 0.0


class Lines(Generic[J]):
    """The lines of all callback URLs that have a result under way, and what was delivered lately."""

    def __init__(self, remembered: int = REMEMBERED, max_away: int = MAX_AWAY) -> None:
        self._lines: dict[Line, _Standing[J]] = {}
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

    def copies(self, job: J) -> int:
        """Say how often this result stands in its line already, here or on rungs."""
        standing = self._lines.get(job.line)
        return sum(place.identity == job.identity for place in standing.places) if standing else 0

    def join(self, job: J) -> bool:
        """Give a job its place, the one it had if it was away, else the last of its line; tell whether it was away."""
        line = self._lines.setdefault(job.line, _Standing())
        line.newest = max(line.newest, job.submitted_at)
        for place in line.places:
            if place.job is None and place.identity == job.identity:
                place.job = job
                self._places[job] = place
                return True
        self._places[job] = place = Place(job.identity, job.line, job.origin, job.graded_at, job)
        line.places.append(place)
        return False

    def call(self, line: Line) -> J | None:
        """Return the job whose turn it is now, if it is the turn of none yet."""
        standing = self._lines.get(line)
        if standing is None or standing.active is not None:
            return None
        # An earlier result of its own submission goes first, wherever that is.
        before: set[str] = set()
        for place in standing.places:
            if place.job is not None and place.identity.submission not in before:
                standing.active = place.job
                return place.job
            before.add(place.identity.submission)
        return None

    def is_outdated(self, job: J, min_age: float) -> bool:
        """Tell whether a submission that was sent in `min_age` seconds later, or more, has a result in its line."""
        return self._lines[job.line].newest - job.submitted_at > min_age

    def leave(self, job: J, *, delivered: bool = False) -> None:
        """Take a job out of its line: it is delivered, or parked, or was a repeat."""
        if delivered:
            self._delivered[job.identity] = None
            self._answered[job.identity.submission] = None
            for remembered in (self._delivered, self._answered):
                if len(remembered) > self._remembered:
                    remembered.popitem(last=False)
        self._rest(job)
        self._remove(self._places.pop(job))

    def send_away(self, job: J, due: float) -> bool:
        """Keep a job's place until about `due`, when it comes back; tell whether there was room to remember it."""
        self._rest(job)
        place = self._places.pop(job)
        place.job, place.due = None, due
        places = self._lines[place.line].places
        if len(self._away) >= self._max_away or (len(places) > MAX_IN_LINE and place is not places[0]):
            self._remove(place)
            return False
        heappush(self._away, (due + GRACE_SECONDS, next(self._numbers), place))
        return True

    def length(self, line: Line) -> int:
        """Return how many results stand in a line, here or on rungs."""
        return len(self._lines[line].places) if line in self._lines else 0

    def drop_delivered(self, line: Line) -> list[Place[J]]:
        """Take away, and return, places of results on rungs that the LMS has by now.

        These are copies: what comes of them is a repeat, and nobody need wait for it.
        """
        standing = self._lines.get(line)
        places = standing.places if standing else ()
        dropped = [place for place in places if place.job is None and self.is_delivered(place.identity)]
        for place in dropped:
            self._remove(place)
        return dropped

    def expire(self, now: float) -> list[Place[J]]:
        """Give up, and return, the places of those that did not come back."""
        expired = []
        while self._away and self._away[0][0] <= now:
            _, _, place = heappop(self._away)
            # It may have come back, and gone away again, since.
            standing = self._lines.get(place.line)
            if place.job is None and place.due + GRACE_SECONDS <= now and standing and place in standing.places:
                self._remove(place)
                expired.append(place)
        return expired

    def stuck(self, line: Line) -> list[tuple[Place[J], J]]:
        """Return the jobs at hand that stand behind one of their submission that is away, each with the first such."""
        standing = self._lines.get(line)
        if standing is None or len(standing.places) == 1:
            return []
        away: dict[str, Place[J]] = {}
        found = []
        for place in standing.places:
            submission = place.identity.submission
            if place.job is None:
                away.setdefault(submission, place)
            elif submission in away:
                found.append((away[submission], place.job))
        return found

    def all_graded_at(self) -> Iterator[float]:
        """Yield when each result that is in a line was graded (seconds since the epoch)."""
        return (place.graded_at for line in self._lines.values() for place in line.places)

    def _rest(self, job: J) -> None:
        line = self._lines[job.line]
        if line.active is job:
            line.active = None

    def _remove(self, place: Place[J]) -> None:
        line = self._lines[place.line]
        line.places.remove(place)
        if not line.places:
            del self._lines[place.line]
