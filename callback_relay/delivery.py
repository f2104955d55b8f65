"""One result at hand: posted to its LMS, judged by how that went, and settled by one verdict."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, replace
from time import monotonic, time
from typing import Any

from broker_setup.amqp.messages import Arrival
from broker_setup.ledger.events import Delivered as LedgerDelivered
from broker_setup.ledger.notes import Notes
from broker_setup.process.beside import acting_for
from broker_setup.process.shortages import shortage
from broker_setup.process.spans import Step, spans
from broker_setup.wire.properties import returns_of
from broker_setup.wire.reply_checker import ReplyChecker
from broker_setup.wire.results import Result
from callback_relay.announcing import Announcer, Line, OwnTrouble, Repeats
from callback_relay.callback import Callback
from callback_relay.endings import level_of, level_of_try
from callback_relay.floods import LatelyParked
from callback_relay.job import Job
from callback_relay.ladder import Ladder
from callback_relay.metrics import Metrics
from callback_relay.orders import Order, Post, Settle
from callback_relay.outcome import Answered, Kind, NotMade, Outcome, kind_of, not_made
from callback_relay.reason import Reason, Slug
from callback_relay.schedule import Schedule
from callback_relay.settling import About, Settling
from callback_relay.size import is_too_large
from callback_relay.verdict import Delivered, Park, Patience, Repeat, Retry, Tell, Verdict, judge
from callback_relay.ways import Ways

log = logging.getLogger(__name__)

# What callbacks under way get at the end; a process manager's patience is 10 s or more.
STOP_GRACE_SECONDS = 4.0


@dataclass(eq=False, slots=True)
class Delivery(Job):
    """A job with what it takes to do it."""

    message: Arrival
    result: Result
    callback: Callback
    callback_url: str  # as the LMS wrote it
    checked: bool = False  # whether the LMS would take it; else that is looked at before it is posted
    graded: asyncio.Future[None] | None = None  # done when the ledger has the event of that name, where we write it

    @property
    def about(self) -> About:
        """What an operator is told of it."""
        return About(self.origin, self.queue)


class Delivering:
    """Does what the schedule orders, each in a task of its own."""

    def __init__(
        self,
        schedule: Schedule[Delivery],
        ways: Ways,
        checker: ReplyChecker | None,
        settling: Settling,
        *,
        notes: Notes,
        metrics: Metrics,
        announcer: Announcer,
        ladder: Ladder,
        patience: Patience,
        chance: Callable[[], float],
        is_stopping: Callable[[], bool],
    ) -> None:
        """Without a `checker` no reply is looked at. Nothing is posted any more once it `is_stopping`."""
        self._schedule = schedule
        self._ways = ways
        self._checker = checker
        self._settling = settling
        self._notes = notes
        self._metrics = metrics
        self._announcer, self._own_trouble, self._repeats = announcer, OwnTrouble(), Repeats()
        self._ladder, self._patience, self._chance = ladder, patience, chance
        self._is_stopping = is_stopping
        self._under_way: set[asyncio.Task[object]] = set()
        self.parked = LatelyParked()

    def obey(self, orders: Iterable[Order[Delivery]]) -> None:
        """Do what the schedule wants done."""
        for order in orders:
            match order:
                case Post(delivery):
                    # What is not begun when we stop goes back to the queue with its channel.
                    if not self._is_stopping():
                        self.start(self._deliver(delivery))
                case Settle(delivery, verdict):
                    if delivery.unread and isinstance(verdict, Repeat):
                        say(self._repeats.of(delivery.identity.submission, delivery.message.user_id, monotonic()))
                    self.start(self.settle(delivery, verdict, level=level_of(delivery, verdict)))

    def start(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Do something in a task that `finish` waits for."""
        # Not cancelled when the channel closes, in the midst of a POST.
        task = asyncio.create_task(coroutine)
        self._under_way.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("a mistake of ours: a result may wait until the relay is started again", exc_info=error)

    async def _deliver(self, delivery: Delivery) -> None:
        """Make one callback, and settle its result."""
        verdict: Verdict
        began_at = monotonic()
        try:
            if refused := await self._refused_late(delivery):
                verdict = refused
            else:
                began_at, began = monotonic(), spans.begin()
                outcome: Outcome = await self._ways.post(delivery.callback)
                if began:
                    _tell_span(delivery, outcome, began)
                verdict = self._judge(delivery, outcome, began_at)
        except Exception as error:  # a mistake of ours, as above
            if lacks := shortage(error):
                verdict = self._judge(delivery, not_made(lacks), began_at)
            else:
                log.exception("submission %s: unexpected error", delivery.identity.submission)
                verdict = Park(mistake(error))
        answered_at = monotonic()
        if isinstance(verdict, Retry):
            # It may be back from a short rung before we have gone on here.
            self.obey(self._schedule.ended(delivery, verdict, answered_at))
            await self.settle(delivery, verdict, level=level_of_try(verdict))
        else:
            try:
                # Acked before the next is begun: a relay that is killed repeats the callbacks under way, and those of
                # whose acks the broker had not read, but no more than it had let the relay have.
                await self.settle(delivery, verdict)
            finally:
                # Whatever became of that: what never ends here keeps its slot, and all of its URL waiting, for ever.
                self.obey(self._schedule.ended(delivery, verdict, answered_at))

    async def settle(self, delivery: Delivery, verdict: Verdict, *, level: int = logging.INFO) -> None:
        """End a delivery as the verdict says, and remember what was parked."""
        held = await self._settling.settle(
            delivery.message, verdict, delivery.about, level=level, graded=delivery.graded
        )
        if isinstance(held, Park):
            self.parked.add(delivery.identity)
        elif isinstance(verdict, Park) and verdict.tell is not Tell.NEVER:
            # It comes again, and its student was not told.
            self.parked.discard(delivery.identity)

    def refused(self, delivery: Delivery, wrong: str) -> Park:
        """Park a result for what its reply is; its student is told of the first such alone."""
        park = Park(Reason(Slug.REPLY, f"the grader's reply: {wrong}"))
        if delivery.identity in self.parked:
            return replace(park, tell=Tell.NEVER)
        # At once: many of it may be read before this one is stored.
        self.parked.add(delivery.identity)
        return park

    def _judge(self, delivery: Delivery, outcome: Outcome, began_at: float) -> Verdict:
        """Say what becomes of a result, and what the log, the ledger and the metrics have to know of its callback."""
        now, answered_at = time(), monotonic()
        ruling = self._schedule.outcome(delivery, outcome, answered_at)
        if is_too_large(outcome, delivery.callback):
            ruling = replace(ruling, is_too_large=True)
        if delivery.message.redelivered or self._ways.may_be_there(delivery.callback):
            # A relay that was killed may have put it before.
            ruling = replace(ruling, may_be_there=bool(delivery.callback.upstream))
        tries = delivery.tries
        verdict = judge(outcome, ruling, tries, self._ladder, self._patience, now=now, chance=self._chance())
        say(self._announcer.of(self._schedule.paces[delivery.origin], answered_at))
        if isinstance(outcome, NotMade):
            say(self._own_trouble.of(outcome, answered_at))
        if isinstance(outcome, Answered) and outcome.is_page:
            self._metrics.page(delivery.origin)
        if kind_of(outcome) is not Kind.UNASKED:
            self._metrics.posted(delivery.origin, answered_at - began_at)
        if isinstance(verdict, Delivered):
            submission, notice = bytes.fromhex(delivery.identity.submission), delivery.result.notice
            self._notes.note(LedgerDelivered(now, submission, tries.made + 1, notice))
            self._metrics.delivered(delivery.origin, delivery.graded_at, now)
            if notice:
                self._metrics.told(delivery.origin)
        return verdict

    async def _refused_late(self, delivery: Delivery) -> Park | None:
        """Check what takes a while, or a process apart, now that it would be posted."""
        if self._checker is None or delivery.checked:
            return None
        returns = returns_of(delivery.message)
        # Not on behalf of who sent it: what is back from a rung was sent by a relay, and a grader has its queues.
        acting_for.set(delivery.queue)
        found = await self._checker.check(delivery.url, delivery.callback.body, returns)
        return self.refused(delivery, found.wrong) if found.wrong else None

    async def finish(self) -> None:
        """Give what is under way a moment; what is not settled then goes back to the queue with its channel."""
        if self._under_way:
            log.info("stopping: %d callbacks under way", len(self._under_way))
            await asyncio.wait(self._under_way, timeout=STOP_GRACE_SECONDS)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)


def mistake(error: Exception) -> Reason:
    """Name a mistake of ours."""
    return Reason(Slug.MISTAKE, f"unexpected error: {type(error).__name__}")


def say(lines: Iterable[Line]) -> None:
    """Log what there is to say."""
    for line in lines:
        log.log(line.level, "%s", line.text)


def _tell_span(delivery: Delivery, outcome: Outcome, began: float) -> None:
    about: dict[str, str | int] = {"xqueue.queue": delivery.queue, "xqueue.origin": delivery.origin}
    about["xqueue.try"] = delivery.tries.made + 1
    if isinstance(outcome, Answered):
        about["http.response.status_code"] = outcome.status
    kind = kind_of(outcome)
    error = "" if kind is Kind.DELIVERED else kind.name.lower()
    spans.tell(Step.CALLBACK, delivery.identity.submission, began, about, error=error)
