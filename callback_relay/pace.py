"""The pace of one LMS: how many of its callbacks are under way, how quick it is, how it is asked if sick; no I/O."""

from collections.abc import Callable, Collection
from enum import StrEnum
from itertools import islice
from typing import Generic, TypeVar

from callback_relay.evidence import Evidence, FailedUrls
from callback_relay.job import Job
from callback_relay.ladder import Ladder
from callback_relay.queued import Waiting
from callback_relay.trickle import Trickle

J = TypeVar("J", bound=Job)

# How much the newest callback's time counts in the average.
NEWEST = 0.2
# An LMS that takes longer than this shares some of the relay's room with all others that do, or that never answered.
PROMPT_SECONDS = 1.0
# So many of a sick LMS's results stay here, for probes: any of them, so that a good one is found among broken ones.
SAMPLE = 8
# After a failure what is ready goes in any order for as long: good ones may stand behind many that fail.
MIXED_SECONDS = 60.0


class Health(StrEnum):
    """What a result of that LMS can expect."""

    OK = "ok"  # is posted
    SICK = "sick"  # waits: the LMS does not answer, or with errors
    CONDITION = "condition"  # waits: something before the LMS refuses everything


class Pace(Generic[J]):
    """One LMS (scheme://host:port): its callbacks under way and its results at hand."""

    def __init__(self, origin: str, ladder: Ladder, most: int, failed: FailedUrls, *, is_known: bool = False) -> None:
        """Have at most `most` callbacks under way; `is_known` says that it has answered before."""
        self.origin = origin
        self.evidence = Evidence(origin, failed)
        self.trickle = Trickle(ladder, most)
        self.has_answered = is_known
        self.refuses = False  # the last failure was a refusal
        self.waiting: Waiting[J] = Waiting()  # at hand and not under way
        self.ready: dict[J, None] = {}  # of these, the ones whose turn it is in their lines
        self.away = 0  # on a rung
        self.used_at = 0.0
        self._most = most
        self._seconds = 0.0
        self._since: dict[J, float] = {}  # under way, with when each was begun
        self._probe: J | None = None
        self._seen = 0  # results that came to be ready since the last probe

    @property
    def is_sick(self) -> bool:
        """Whether its results wait here and on rungs, and only a probe goes now and then."""
        return self.evidence.is_sick

    @property
    def health(self) -> Health:
        """What its results can expect."""
        if not self.is_sick:
            return Health.OK
        return Health.CONDITION if self.refuses else Health.SICK

    @property
    def under_way(self) -> Collection[J]:
        """The jobs whose callbacks are under way."""
        return self._since.keys()

    def has_room(self, room: int) -> bool:
        """Whether one more callback may be under way where there is `room` for so many, of any LMS.

        One LMS takes no more than it leaves free, so there is always some room for another.
        """
        return len(self._since) < max(1, min(self.trickle.limit, room))

    def is_prompt(self, now: float) -> bool:
        """Whether it has answered before, and soon."""
        return self.has_answered and self._seconds_each(now) <= PROMPT_SECONDS

    @property
    def is_here(self) -> bool:
        """Whether a result of it is at hand."""
        return bool(self._since) or bool(self.waiting)

    @property
    def is_idle(self) -> bool:
        """Whether there is no result of this LMS that we know of."""
        return not self.is_here and not self.away

    @property
    def is_at_ease(self) -> bool:
        """Whether there is nothing to remember of it."""
        return self.is_idle and self.evidence.is_spotless

    def come(self, job: J) -> None:
        """Note that it is the turn of a job in its line."""
        self.ready[job] = None
        self._seen += 1

    def forget(self, job: J) -> None:
        """Note that a job is not waiting here any more."""
        self.waiting.discard(job)
        self.ready.pop(job, None)

    def began(self, job: J, now: float) -> None:
        """Note that a callback is under way."""
        self.forget(job)
        self._since[job] = self.used_at = now
        if self.is_sick:
            self._probe = job
            self._seen = 0
            self.trickle.probed(now)

    def ended(self, job: J, now: float) -> None:
        """Note that a callback has ended."""
        seconds = now - self._since.pop(job)
        self._seconds = seconds if not self._seconds else self._seconds + NEWEST * (seconds - self._seconds)
        if self._probe is job:
            self._probe = None

    def is_probe(self, job: J) -> bool:
        """Whether the callback of this job was begun to see whether the LMS is well again."""
        return self._probe is job

    def next_ready(self, now: float, chance: Callable[[], float]) -> J | None:
        """Return the ready job that goes next, if one may: of a sick LMS the next probe, when it is due."""
        if self.is_sick:
            return self._next_probe(now, chance)
        failed_at = self.evidence.failed_at
        if failed_at is None or now - failed_at > MIXED_SECONDS:
            return next(iter(self.ready), None)
        return _any_of(self._untried() or self.ready, chance)

    def surplus(self, chance: Callable[[], float]) -> J | None:
        """Return a ready job of a sick LMS that need not wait here; each that came had the same chance to stay."""
        if len(self.ready) <= SAMPLE:
            return None
        newest = next(reversed(self.ready))
        if tried := [job for job in self.ready if job.is_tried]:
            return newest if newest.is_tried else _any_of(tried, chance)
        return newest if chance() >= SAMPLE / max(SAMPLE, self._seen) else _any_of(self.ready, chance)

    def drain_seconds(self, now: float, *, unread: bool) -> float:
        """Estimate how long those of one kind that wait here will take; those of one URL go one at a time."""
        waiting = self.waiting.of(unread=unread)
        return self._seconds_each(now) * max(len(waiting) / self._most, waiting.longest)

    def all_drain_seconds(self, now: float, in_line: int) -> float:
        """Estimate how long all that are on their way to this LMS will take, where one line has `in_line` of them."""
        return self._seconds_each(now) * max((len(self.waiting) + self.away) / self._most, in_line)

    def newest_of_the_slowest(self, *, unread: bool) -> J:
        """Return which of a kind will be through last: of its longest line, if that takes longer than all the rest."""
        waiting = self.waiting.of(unread=unread)
        is_serial = waiting.longest > len(waiting) / self._most
        return waiting.newest_of_longest() if is_serial else waiting.newest()

    def _next_probe(self, now: float, chance: Callable[[], float]) -> J | None:
        if self._probe is not None:
            return None
        untried = self._untried()
        if not self.trickle.is_due(now, is_tried=not untried):
            return None
        return _any_of(untried or self.ready, chance)

    def _untried(self) -> Collection[J]:
        return [job for job in self.ready if not job.is_tried]

    def _seconds_each(self, now: float) -> float:
        # A callback that hangs counts for as long as it has hung.
        oldest = now - next(iter(self._since.values())) if self._since else 0.0
        return max(self._seconds, oldest)


def _any_of(jobs: Collection[J], chance: Callable[[], float]) -> J | None:
    return next(islice(jobs, int(chance() * len(jobs)), None), None)
