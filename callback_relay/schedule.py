"""Decides which result at hand is posted now, which waits here, and which goes to a rung untried; no I/O.

The relay has room for so many deliveries at a time, and all LMSs share it. One that is slow or away must not fill it:
what is at hand of it beyond its share goes to the ladder, so that the others' results keep coming.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from math import inf
from typing import Generic, TypeVar

from callback_relay.job import Job, Line
from callback_relay.ladder import Ladder
from callback_relay.lines import Lines, Place
from callback_relay.orders import Order, Post, Settle
from callback_relay.origins import Origins
from callback_relay.outcome import Kind, Outcome, kind_of
from callback_relay.pace import Pace
from callback_relay.reason import Reason, Slug
from callback_relay.room import Room
from callback_relay.sick_rung import sick_rung
from callback_relay.verdict import NO_FAILURE, Delivered, Patience, Repeat, Retry, Ruling, Verdict, wait_untried

J = TypeVar("J", bound=Job)

# An LMS whose results at hand are through within this keeps them here: a trip over a rung takes longer.
DRAIN_SECONDS = 0.5
# What stands behind a result that is back sooner than this waits for it here.
HOLD_SECONDS = 5.0

SLOW = Reason(Slug.SLOW, "the LMS has more under way than it answers")
STRANGERS = Reason(Slug.STRANGERS, "many LMSs that have not answered yet are before it")
BEHIND = Reason(Slug.BEHIND, "waits behind an earlier result of its submission")


class Schedule(Generic[J]):
    """Tell it what happens; each call returns what is to be done now, in that order."""

    def __init__(
        self,
        ladder: Ladder,
        patience: Patience,
        *,
        room: int,
        unread_room: int = 0,
        per_origin: int,
        chance: Callable[[], float],
        wall: Callable[[], float],
        outdates_after: Callable[[str], float | None] = lambda _: None,
        listed: Collection[str] = (),
    ) -> None:
        """Share `room` for deliveries among the LMSs, with at most `per_origin` callbacks under way to each.

        What comes unread has `unread_room`, beside and not within it. `wall` says what time it is (seconds since the
        epoch), `outdates_after` how much later a submission to a course queue must be sent in to make an older one of
        the same URL worthless, None: it never is; the LMSs that are `listed` are known to answer.
        """
        self._ladder = ladder
        self._patience = patience
        self._chance = chance
        self._wall = wall
        self._outdates_after = outdates_after
        self._lines: Lines[J] = Lines()
        self._room: Room[J] = Room(room, unread_room)
        self._origins: Origins[J] = Origins(ladder, per_origin, listed)
        self._held: dict[bool, dict[Line, None]] = {False: {}, True: {}}  # where one that is back soon is waited for

    @property
    def at_hand(self) -> int:
        """How many results are here, under way or not."""
        return self._room.at_hand

    @property
    def paces(self) -> Mapping[str, Pace[J]]:
        """The LMSs that have results under way, or don't answer."""
        return self._origins.paces

    def is_delivered(self, job: J) -> bool:
        """Tell whether the LMS has taken this result before."""
        return self._lines.is_delivered(job.identity)

    def copies(self, job: J) -> int:
        """Say how many other copies of this result are at hand, or wait on rungs."""
        return self._lines.copies(job)

    def arrive(self, job: J, now: float) -> list[Order[J]]:
        """Take in a job that was delivered; `now` is of any clock, in seconds, the same in all calls."""
        if self._lines.is_delivered(job.identity):
            return [Settle(job, Repeat())]
        if self._lines.join(job):
            job.comes_back = True
            self._origins.back(job.origin)
        self._room.came(job)
        pace = self._origins.came(job)
        return [*self._advance(job.line, now), *self._go_on(pace, now), *self._make_room(now)]

    def outcome(self, job: J, outcome: Outcome, now: float) -> Ruling:
        """Take in how the callback of a job ended; say what is known of that beside."""
        blame = self._origins.judge(job, outcome, now)
        if kind_of(outcome) is Kind.DELIVERED:
            return NO_FAILURE
        min_age = self._outdates_after(job.queue)
        is_outdated = min_age is not None and self._lines.is_outdated(job, min_age)
        return Ruling(blame, self._rung(self._origins.of(job)), is_outdated)

    def ended(self, job: J, verdict: Verdict, now: float) -> list[Order[J]]:
        """Take in what became of a result whose callback was made."""
        (pace := self._origins.of(job)).ended(job, now)
        other = self._room.ended(job) or ""
        self._room.left(job)
        if isinstance(verdict, Retry) and not job.void:
            self._send_away(job, now + verdict.delay)
        else:
            self._lines.leave(job, delivered=isinstance(verdict, Delivered))
        orders = [*self._advance(job.line, now), *self._go_on(pace, now)]
        return orders + self._go_on(self.paces[other], now) if other in self.paces else orders

    def lost(self, now: float) -> None:
        """Forget every job at hand: the channel that brought them is gone, and the broker delivers them again."""
        for pace in self.paces.values():
            for job in list(pace.waiting):
                job.void = True
                self._leave(pace, job)
                self._send_away(job, now)
            for job in pace.under_way:
                job.void = True

    def tick(self, now: float) -> list[Order[J]]:
        """Look after what only time changes; to be called every second or so, and for each rung that is shorter."""
        orders: list[Order[J]] = []
        for place in self._lines.expire(now):
            self._origins.back(place.origin)
            orders += self._advance(place.line, now)
        for pace in self._origins.crowded():
            orders += self._go_on(pace, now)
        self._origins.forget(now)
        return orders + self._make_room(now)

    def oldest(self) -> float | None:
        """Return when the oldest result that is at hand or on a rung was graded (seconds since the epoch)."""
        return min(self._lines.all_graded_at(), default=None)

    def _advance(self, line: Line, now: float) -> list[Order[J]]:
        """Let the one of a line be ready whose turn it is; send those after it that stand behind one away for long."""
        for held in self._held.values():
            held.pop(line, None)
        if not self._lines.length(line):
            return []
        for place in self._lines.drop_delivered(line):
            self._origins.back(place.origin)
        if (job := self._lines.call(line)) is not None:
            self._origins.of(job).come(job)
        return self._send_behind(self._lines.stuck(line), now, keep=HOLD_SECONDS)

    def _send_behind(self, stuck: Iterable[tuple[Place[J], J]], now: float, *, keep: float) -> list[Order[J]]:
        """Send those that are here after those that they stand behind, unless these are back in `keep` s."""
        orders: list[Order[J]] = []
        for first, job in stuck:
            if first.due - now <= keep:
                self._held[job.unread][job.line] = None
            else:
                delay = self._ladder.towards(first.due - now)
                orders.append(self._put_off(job, Retry(delay, job.tries, BEHIND), now))
        return orders

    def _go_on(self, pace: Pace[J], now: float) -> list[Order[J]]:
        """Begin what may be begun; of a sick LMS keep what probes need, and send the rest to a rung."""
        orders: list[Order[J]] = []
        while pace.ready and self._room.admits(pace, now) and (job := pace.next_ready(now, self._chance)):
            if self._lines.is_delivered(job.identity):  # its twin stood before it in the line
                self._leave(pace, job)
                self._lines.leave(job)
                orders += [Settle(job, Repeat()), *self._advance(job.line, now)]
            else:
                pace.began(job, now)
                self._room.began(job, pace, now)
                orders.append(Post(job))
        while pace.is_sick and (surplus := pace.surplus(self._chance)):
            orders += self._let_wait(pace, surplus, now)
        return orders

    def _let_wait(self, pace: Pace[J], job: J, now: float) -> list[Order[J]]:
        """Let a result wait on a rung for its LMS, which is sick."""
        why = pace.evidence.reason
        reason = Reason(Slug.AWAY, f"the LMS is sick ({why})" if why else "the LMS is sick")
        verdict = wait_untried(reason, job.tries, self._rung(pace), self._patience, now=self._wall())
        if isinstance(verdict, Retry):
            order = self._put_off(job, verdict, now)
        else:
            self._leave(pace, job)
            self._lines.leave(job)
            order = Settle(job, verdict)
        return [order, *self._advance(job.line, now)]

    def _rung(self, pace: Pace[J]) -> float:
        trickle = pace.trickle
        return sick_rung(self._ladder, trickle.pause, pace.away, self._origins.away, answers=trickle.answers)

    def _make_room(self, now: float) -> list[Order[J]]:
        """Send away what waits for one that is back soon: it is first to come when there is room, and not before.

        Then what waits for an LMS that is sick, or for the share of those that are not prompt; then the newest of the
        LMS that will take longest with what waits here, unless that is soon.
        """
        return [*self._make_room_for(now, unread=False), *self._make_room_for(now, unread=True)]

    def _make_room_for(self, now: float, *, unread: bool) -> list[Order[J]]:
        orders: list[Order[J]] = []
        while self._room.is_scarce(unread=unread) and self._held[unread]:
            line, _ = self._held[unread].popitem()
            stuck = [each for each in self._lines.stuck(line) if each[1].unread == unread]
            orders += self._send_behind(stuck, now, keep=-inf)
        while self._room.is_scarce(unread=unread) and (pace := self._slowest(now, unread=unread)):
            waiting = pace.waiting.of(unread=unread)
            if pace.is_sick:
                orders += self._let_wait(pace, waiting.newest(), now)
                continue
            if self._room.is_kept_back(pace):
                newest, reason = waiting.newest(), STRANGERS
                delay = sick_rung(self._ladder, self._ladder.third, pace.away, self._origins.away, answers=True)
            else:
                newest, reason = pace.newest_of_the_slowest(unread=unread), SLOW
                delay = self._ladder.towards(pace.all_drain_seconds(now, self._lines.length(newest.line)))
            orders.append(self._put_off(newest, Retry(delay, newest.tries, reason), now))
            orders += self._advance(newest.line, now)
        return orders

    def _slowest(self, now: float, *, unread: bool) -> Pace[J] | None:
        """Return whose results of one kind are to make room, if there is any such LMS."""
        slowest, longest = None, DRAIN_SECONDS
        for pace in self._origins.crowded():
            if not pace.waiting.of(unread=unread):
                continue
            if pace.is_sick or self._room.is_kept_back(pace):
                return pace
            if (seconds := pace.drain_seconds(now, unread=unread)) > longest:
                slowest, longest = pace, seconds
        return slowest

    def _put_off(self, job: J, retry: Retry, now: float) -> Order[J]:
        self._leave(self._origins.of(job), job)
        self._send_away(job, now + retry.delay)
        return Settle(job, retry)

    def _send_away(self, job: J, due: float) -> None:
        if self._lines.send_away(job, due):
            self._origins.went(job)

    def _leave(self, pace: Pace[J], job: J) -> None:
        pace.forget(job)
        self._room.left(job)
