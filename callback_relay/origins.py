"""What is known of each LMS, for as long as there is something to know, and of no more than so many; no I/O."""

from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping
from typing import Generic, TypeVar

from callback_relay.evidence import Blame, FailedUrls
from callback_relay.job import Job
from callback_relay.ladder import Ladder
from callback_relay.outcome import Answered, Kind, Outcome, asked_for, is_unreachable, kind_of, reason_of
from callback_relay.pace import Pace
from callback_relay.reason import Slug

J = TypeVar("J", bound=Job)

# How long an LMS that fails is remembered when nothing of it is left.
FORGET_SECONDS = 3600.0
# LMSs of which something is remembered though nothing of them is at hand, some 2 KB each.
MOST_ORIGINS = 10_000


class Origins(Generic[J]):
    """The paces of all LMSs, by origin."""

    def __init__(self, ladder: Ladder, per_origin: int, listed: Collection[str]) -> None:
        """Have at most `per_origin` callbacks under way to each; the `listed` are known to answer."""
        self._ladder = ladder
        self._per_origin = per_origin
        self._listed = frozenset(listed)
        self._failed = FailedUrls()
        self._paces: dict[str, Pace[J]] = {}
        self._answered: OrderedDict[str, None] = OrderedDict()  # who has answered, lately the last
        self._crowded: dict[str, None] = {}  # of which something waits here, and some more
        self.away = 0  # results on rungs, of all

    @property
    def paces(self) -> Mapping[str, Pace[J]]:
        """All that are known now."""
        return self._paces

    def of(self, job: J) -> Pace[J]:
        """Return the pace of a job's LMS."""
        pace = self._paces.get(job.origin)
        if pace is None:
            is_known = job.origin in self._listed or job.origin in self._answered
            pace = Pace(job.origin, self._ladder, self._per_origin, self._failed, is_known=is_known)
            self._paces[job.origin] = pace
        return pace

    def came(self, job: J) -> Pace[J]:
        """Take in a job that waits here from now on."""
        pace = self.of(job)
        pace.waiting.add(job)
        self._crowded[job.origin] = None
        return pace

    def crowded(self) -> Iterator[Pace[J]]:
        """Yield the paces of the LMSs of which something waits here."""
        for origin in list(self._crowded):
            pace = self._paces[origin]
            if pace.waiting:
                yield pace
            else:
                del self._crowded[origin]

    def went(self, job: J) -> None:
        """Note that a job is on a rung."""
        self.of(job).away += 1
        self.away += 1

    def back(self, origin: str) -> None:
        """Note that a result is on a rung no more."""
        self.away -= 1
        # It may have been forgotten meanwhile.
        if (pace := self._paces.get(origin)) and pace.away:
            pace.away -= 1

    def judge(self, job: J, outcome: Outcome, now: float) -> Blame:
        """Take in how a callback ended; if it failed, say whose fault that is."""
        pace = self._paces[job.origin]
        if isinstance(outcome, Answered):
            self._note_answer(pace)
        match kind_of(outcome):
            case Kind.DELIVERED:
                pace.trickle.succeeded(was_sick=pace.is_sick)
                pace.evidence.succeeded(job.line, now)
            case Kind.REFUSED | Kind.FAILED:
                return self._failed_with(pace, job, outcome, now)
        return Blame.OPEN

    def forget(self, now: float) -> None:
        """Drop what there is nothing to remember of, or no room."""
        too_many = len(self._paces) - MOST_ORIGINS
        for origin, pace in list(self._paces.items()):
            is_over = pace.is_at_ease or (pace.is_idle and now - pace.used_at > FORGET_SECONDS)
            if is_over or (too_many > 0 and not pace.is_here):
                self._crowded.pop(origin, None)
                del self._paces[origin]
                too_many -= 1

    def _note_answer(self, pace: Pace[J]) -> None:
        pace.has_answered = True
        self._answered[pace.origin] = None
        self._answered.move_to_end(pace.origin)
        if len(self._answered) > MOST_ORIGINS:
            self._answered.popitem(last=False)

    def _failed_with(self, pace: Pace[J], job: J, outcome: Outcome, now: float) -> Blame:
        reason = reason_of(outcome)
        if reason.slug == Slug.BAD_URL:
            return Blame.URL
        was_sick = pace.is_sick
        pace.refuses = kind_of(outcome) is Kind.REFUSED
        blame = pace.evidence.failed(job.line, reason, now, is_unreachable=is_unreachable(outcome))
        if pace.is_sick and not was_sick:
            pace.trickle.sickened(now)
        elif pace.is_probe(job) or (blame is Blame.ORIGIN and not was_sick):
            pace.trickle.failed(now, answered=isinstance(outcome, Answered), asked=asked_for(outcome))
        return blame
