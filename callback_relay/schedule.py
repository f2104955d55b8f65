"""Decides which result at hand is posted now, which waits here, and which goes to a rung untried; no I/O.

The relay has room for so many deliveries at a time, and all LMSs share it. One that is slow or away must not fill it:
what is at hand of it beyond its share goes to the ladder, so that the others' results keep coming.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from callback_relay.job import Identity, Job
from callback_relay.ladder import Ladder
from callback_relay.lines import Lines, Place
from callback_relay.pace import Pace
from callback_relay.reason import Reason, Slug
from callback_relay.verdict import Delivered, Kind, Repeat, Retry, Verdict, untried

J = TypeVar("J", bound=Job)

# Beyond this part of its room the relay makes some; the rest is free for whoever comes.
HIGH_WATER = 0.75
# An LMS whose results at hand are through within this keeps them here: a trip over a rung takes longer.
DRAIN_SECONDS = 0.5
# What stands behind a result that is back sooner than this waits for it here.
HOLD_SECONDS = 5.0
# How long an LMS that answers nothing is remembered when nothing of it is left.
FORGET_SECONDS = 3600.0

AWAY = Reason(Slug.AWAY, "the LMS has not answered for a while")
SLOW = Reason(Slug.SLOW, "the LMS has more under way than it answers")


@dataclass(frozen=True, slots=True)
class Post(Generic[J]):
    """Make this job's callback now, and tell `ended` how it went."""

    job: J


@dataclass(frozen=True, slots=True)
class Settle(Generic[J]):
    """End this job's delivery as the verdict says; it was not posted."""

    job: J
    verdict: Repeat | Retry


Order = Post[J] | Settle[J]


def behind(earlier: Identity) -> Reason:
    """Say that a result is not posted before an earlier one of its callback URL."""
    return Reason(Slug.BEHIND, f"waits behind submission {earlier.submission}, which has the same callback URL")


class Schedule(Generic[J]):
    """Tell it what happens; each call returns what is to be done now, in that order."""

    def __init__(self, ladder: Ladder, *, room: int, per_origin: int, chance: Callable[[], float]) -> None:
        """Share `room` for deliveries among the LMSs, with at most `per_origin` callbacks under way to each."""
        self._ladder = ladder
        self._room = room
        self._high_water = max(1, int(room * HIGH_WATER))
        self._per_origin = per_origin
        self._chance = chance
        self._lines: Lines[J] = Lines()
        self._paces: dict[str, Pace[J]] = {}
        self._held: dict[str, None] = {}  # URLs whose results wait here for one that is back soon
        self._at_hand = 0
        self._under_way = 0

    def is_delivered(self, job: J) -> bool:
        """Tell whether the LMS has taken this result before."""
        return self._lines.is_delivered(job.identity)

    def arrive(self, job: J, now: float) -> list[Order[J]]:
        """Take in a job that was delivered; `now` is of any clock, in seconds, the same in all calls."""
        if self._lines.is_delivered(job.identity):
            return [Settle(job, Repeat())]
        pace = self._paces.get(job.origin) or self._paces.setdefault(job.origin, Pace(self._ladder, self._per_origin))
        if self._lines.join(job):
            job.comes_back = True
            pace.away -= 1
        self._at_hand += 1
        pace.waiting.add(job)
        return [*self._advance(job.url, now), *self._go_on(pace, now), *self._make_room(now)]

    def ended(self, job: J, kind: Kind, verdict: Verdict, now: float) -> list[Order[J]]:
        """Take in how the callback of a job ended and what becomes of its result."""
        pace = self._paces[job.origin]
        pace.ended(job, kind, now)
        self._under_way -= 1
        self._at_hand -= 1
        if isinstance(verdict, Retry) and not job.void:
            self._send_away(pace, job, now + verdict.delay)
        else:
            self._lines.leave(job, delivered=verdict == Delivered())
        return [*self._advance(job.url, now), *self._go_on(pace, now)]

    def lost(self, now: float) -> None:
        """Forget every job at hand: the channel that brought them is gone, and the broker delivers them again."""
        for pace in self._paces.values():
            for job in list(pace.waiting):
                job.void = True
                self._leave(pace, job)
                self._send_away(pace, job, now)
            for job in pace.under_way:
                job.void = True

    def tick(self, now: float) -> list[Order[J]]:
        """Look after what only time changes; to be called every second or so."""
        orders: list[Order[J]] = []
        for place in self._lines.expire(now):
            pace = self._paces[place.origin]
            pace.away -= 1
            orders += [*self._advance(place.url, now), *self._go_on(pace, now)]
        for origin, pace in list(self._paces.items()):
            if pace.is_at_ease or (pace.is_idle and now - pace.used_at > FORGET_SECONDS):
                del self._paces[origin]
        return orders + self._make_room(now)

    @property
    def paces(self) -> Mapping[str, Pace[J]]:
        """The LMSs that have results under way, or don't answer."""
        return self._paces

    def oldest(self) -> float | None:
        """Return when the oldest result that is at hand or on a rung was graded (seconds since the epoch)."""
        return min(self._lines.all_graded_at(), default=None)

    def _advance(self, url: str, now: float) -> list[Order[J]]:
        """Let the first of a line be ready; if it is away for long, send those behind it after it."""
        self._held.pop(url, None)
        first = self._lines.first(url)
        if first is None:
            return []
        pace = self._paces[first.origin]
        if dropped := self._lines.drop_delivered(url):
            pace.away -= dropped
            return self._advance(url, now)
        if first.job is not None:
            if first.job in pace.waiting:
                pace.ready[first.job] = None
            return []
        if first.due - now <= HOLD_SECONDS:
            if self._lines.length(url) > 1:
                self._held[url] = None
            return []
        return self._send_behind(url, first, now)

    def _send_behind(self, url: str, first: Place[J], now: float) -> list[Order[J]]:
        """Send those of a line that are here after the first, which is away."""
        pace = self._paces[first.origin]
        delay, reason = self._ladder.towards(first.due - now), behind(first.identity)
        return [self._put_off(pace, job, Retry(delay, job.tries, reason), now) for job in self._lines.behind(url)]

    def _go_on(self, pace: Pace[J], now: float) -> list[Order[J]]:
        """Begin what may be begun."""
        orders: list[Order[J]] = []
        while pace.ready and pace.has_room(self._room - self._under_way):
            job = next(iter(pace.ready))
            if self._lines.is_delivered(job.identity):
                # Its twin stood before it in the line.
                self._leave(pace, job)
                self._lines.leave(job)
                orders.append(Settle(job, Repeat()))
            elif pace.breaker.admits(now):
                pace.began(job, now)
                self._under_way += 1
                orders.append(Post(job))
                continue
            else:
                orders.append(self._put_off(pace, job, untried(AWAY, job.tries, self._ladder, self._chance()), now))
            orders += self._advance(job.url, now)
        return orders

    def _make_room(self, now: float) -> list[Order[J]]:
        """Send away what waits for one that is back soon: it is first to come when there is room, and not before.

        Then the newest of the LMS that will take longest with what waits here, unless that is soon.
        """
        orders: list[Order[J]] = []
        while self._at_hand > self._high_water and self._held:
            url, _ = self._held.popitem()
            if (first := self._lines.first(url)) and first.job is None:
                orders += self._send_behind(url, first, now)
        while self._at_hand > self._high_water:
            pace = max(self._paces.values(), key=lambda each: each.drain_seconds(now))
            if pace.drain_seconds(now) <= DRAIN_SECONDS:
                break
            newest = pace.newest_of_the_slowest()
            delay = self._ladder.towards(pace.all_drain_seconds(now, self._lines.length(newest.url)))
            orders.append(self._put_off(pace, newest, Retry(delay, newest.tries, SLOW), now))
            orders += self._advance(newest.url, now)
        return orders

    def _put_off(self, pace: Pace[J], job: J, retry: Retry, now: float) -> Order[J]:
        self._leave(pace, job)
        self._send_away(pace, job, now + retry.delay)
        return Settle(job, retry)

    def _send_away(self, pace: Pace[J], job: J, due: float) -> None:
        if self._lines.send_away(job, due):
            pace.away += 1

    def _leave(self, pace: Pace[J], job: J) -> None:
        pace.forget(job)
        self._at_hand -= 1
