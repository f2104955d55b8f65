"""The relay: results in from the broker, callbacks out to the LMS, and each result settled by one verdict.

It keeps nothing that the broker doesn't have, except who stands where in line and what was delivered lately
(lines.py). One relay works at a time; others stand by.
"""

import asyncio
import logging
import random
from collections.abc import Coroutine, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from time import monotonic, time
from typing import Any

from aio_pika.abc import AbstractIncomingMessage

from broker_setup.errors import BadMessageError, BadReturnAddressError, UnknownSecretError
from broker_setup.ledger.events import KEY_HASH_BYTES, Graded, hash_url
from broker_setup.ledger.events import Delivered as LedgerDelivered
from broker_setup.ledger.notes import Notes
from broker_setup.ledger.writer import LedgerWriter
from broker_setup.link.calls import CONNECTION_ERRORS
from broker_setup.link.codec import tolerate_ill_made_properties
from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.process.process_name import process_name
from broker_setup.process.shortages import shortage
from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_PARKED
from broker_setup.wire.answering import is_ours, may_answer
from broker_setup.wire.properties import MAX_MESSAGE_BYTES
from broker_setup.wire.replies import FINE, Finding
from broker_setup.wire.reply_checker import ReplyChecker, returns_of
from broker_setup.wire.results import NO_TRIES, Result, decode_result
from broker_setup.wire.return_address import Sealer
from callback_relay.announcing import Announcer, Line, OwnTrouble
from callback_relay.callback import BadCallbackError, Callback, callback_for
from callback_relay.consumer import Consumer
from callback_relay.endpoint import Endpoint
from callback_relay.floods import UNOPENED_AT_ONCE, UNOPENED_EACH_SECOND, Floods, LatelyParked
from callback_relay.job import Identity, Job
from callback_relay.ladder import Ladder
from callback_relay.metrics import Metrics, Reading
from callback_relay.orders import Order, Post, Settle
from callback_relay.poster import poster_for
from callback_relay.reason import Reason, Slug
from callback_relay.room import unread_room
from callback_relay.schedule import Schedule
from callback_relay.settling import About, Settling, level_of, level_of_try
from callback_relay.size import is_too_large
from callback_relay.student_notices import StudentNotices
from callback_relay.verdict import (
    Answered,
    Delivered,
    GiveBack,
    Kind,
    NotMade,
    Outcome,
    Park,
    Patience,
    Retry,
    Tell,
    Verdict,
    judge,
    judge_unopened,
    kind_of,
    not_made,
)

log = logging.getLogger(__name__)

# How often the schedule looks at the clock: twice for each probe, with rungs as they are by default.
TICK_SECONDS = 0.25
SHORTEST_TICK_SECONDS = 0.05
# The broker gives a frozen relay's lock away after two of these that were missed.
HEARTBEAT_SECONDS = 5
# What callbacks under way get at the end; a process manager's patience is 10 s or more.
STOP_GRACE_SECONDS = 4.0


@dataclass(eq=False, slots=True)
class Delivery(Job):
    """A job with what it takes to do it."""

    message: AbstractIncomingMessage
    result: Result
    callback: Callback
    callback_url: str  # as the LMS wrote it
    judged: bool = False  # whether the LMS would take it; else that is looked at before it is posted
    graded: asyncio.Future[None] | None = None  # done when the ledger has the event of that name, where we write it

    @property
    def about(self) -> About:
        """What an operator is told of it."""
        return About(self.origin, self.queue)


_UNUSABLE = {
    BadMessageError: Slug.UNREADABLE,
    BadReturnAddressError: Slug.RETURN_ADDRESS,
    BadCallbackError: Slug.CALLBACK_URL,
}


class Relay:
    """The service: `run` it, `stop` it."""

    def __init__(self, settings: Settings) -> None:
        """Build it from settings that have a SECRET_KEY; nothing is opened yet.

        Raise SettingsError if the CA bundle can't be read.
        """
        url, name = settings.amqp_url.get_secret_value(), process_name("xqueue-relay")
        # Two connections: under an alarm the broker stops reading from one that publishes, acks and all.
        self._source = Link(url, f"{name} consume", heartbeat=HEARTBEAT_SECONDS)
        self._sink = Link(url, f"{name} publish")
        self._publisher = Publisher(self._sink)
        self._poster = poster_for(settings)
        self._notes = Notes(LedgerWriter(self._publisher, name))
        self._sealer = Sealer(settings.secrets)
        self._may_answer = partial(may_answer, graders=settings.amqp_graders, services=settings.services)
        self._is_ours = partial(is_ours, graders=settings.amqp_graders, services=settings.services)
        self._judges = ReplyChecker(settings.max_reply_size) if settings.validate_results else None
        self._ladder = Ladder(settings.retry_delays)
        self._patience = Patience(settings.max_number_of_failures, settings.callback_max_age)
        # Chance for spreading load needs no cryptographic randomness.
        self._chance = random.random
        self._schedule: Schedule[Delivery] = Schedule(
            self._ladder,
            self._patience,
            room=settings.callback_concurrency,
            unread_room=unread_room(settings.callback_concurrency),
            per_origin=settings.callback_concurrency_per_origin,
            chance=self._chance,
            wall=time,
            outdates_after=settings.supersede_after,
            listed=settings.callback_allowed_origins or (),
        )
        self._floods, self._unopened = Floods(), Floods(UNOPENED_AT_ONCE, UNOPENED_EACH_SECOND)
        self._parked = LatelyParked()
        self._announcer, self._own_trouble = Announcer(), OwnTrouble()
        self._consumer = Consumer(
            self._source,
            prefetch=settings.callback_concurrency,
            unread_prefetch=unread_room(settings.callback_concurrency),
            others=(RESULTS_PARKED, *settings.rungs, *settings.notice_queues),
            received=self._received,
            received_unread=partial(self._received, unread=True),
            lost=lambda: self._schedule.lost(monotonic()),
        )
        self._metrics = Metrics(self._reading, listed=settings.callback_allowed_origins or ())
        self._settling = Settling(
            self._publisher,
            self._notes,
            self._metrics,
            StudentNotices(self._publisher, settings.failure_message, settings.notice_grace_of),
            self._is_ours,
        )
        self._endpoint = Endpoint(
            settings.metrics_host,
            settings.metrics_port,
            registry=self._metrics.registry,
            health=lambda: self._consumer.state.value,
        )
        self._under_way: set[asyncio.Task[object]] = set()
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask `run` to take no more results, finish what is under way and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Deliver results until `stop`; a broker that is away, or comes back, is no reason to end.

        Raise SettingsError if the metrics' port can't be had.
        """
        tolerate_ill_made_properties()
        async with self._endpoint, supervised(self._source, self._sink), self._poster:
            consuming = asyncio.create_task(self._consumer.run(), name="consume results")
            ticking = asyncio.create_task(self._tick(), name="schedule")
            noting = asyncio.create_task(self._notes.run(), name="ledger notes")
            stopping = asyncio.create_task(self._stopping.wait(), name="wait for stop")
            try:
                await asyncio.wait({consuming, ticking, noting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._stopping.set()
                for task in (consuming, ticking, stopping):
                    task.cancel()
                await asyncio.wait({consuming, ticking, stopping})
                await self._finish()
                noting.cancel()
                await asyncio.wait({noting})
                with suppress(*CONNECTION_ERRORS):
                    await self._notes.flush()
            for task in (consuming, ticking, noting):
                if not task.cancelled():
                    task.result()  # only a mistake of ours ends it: let that be seen
        log.info("stopped")

    def _reading(self) -> Reading:
        return Reading(
            state=self._consumer.state,
            connections={"consume": self._source.is_up, "publish": self._sink.is_up},
            paces=self._schedule.paces,
            oldest=self._schedule.oldest(),
        )

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(min(TICK_SECONDS, max(SHORTEST_TICK_SECONDS, self._ladder.shortest / 4)))
            now = monotonic()
            self._obey(self._schedule.tick(now))
            _say(self._announcer.of_all(self._schedule.paces, now))

    def _received(self, message: AbstractIncomingMessage, *, unread: bool = False) -> None:
        try:
            self._take(message, unread=unread)
        except UnknownSecretError as error:
            if self._is_turned_away(message, self._unopened, Park(Reason(Slug.RETURN_ADDRESS, str(error)))):
                return
            tries = decode_result(message, ours=self._is_ours(message.user_id)).tries
            verdict = judge_unopened(str(error), tries, self._ladder, self._patience, now=time())
            self._start(self._settling.settle(message, verdict, About(), level=logging.WARNING))
        except (BadMessageError, BadReturnAddressError, BadCallbackError) as error:
            self._put_aside(message, Park(Reason(_UNUSABLE[type(error)], str(error)), tell=Tell.NEVER), About())
        except Exception as error:  # a mistake of ours: seen by an operator, never a loop, never a loss
            if lacks := shortage(error):
                self._start(self._settling.settle(message, GiveBack(f"it could not be read here: {lacks}"), About()))
                return
            log.exception("submission %s: unexpected error", message.correlation_id)
            self._start(self._settling.settle(message, Park(_mistake(error), tell=Tell.NEVER), About()))

    def _put_aside(self, message: AbstractIncomingMessage, park: Park, about: About) -> None:
        """Park what no student is told of, for no result, not its sender's, or parked before: with its reason.

        Unless there is no end of it.
        """
        if not self._is_turned_away(message, self._floods, park):
            self._start(self._settling.settle(message, park, about))

    def _is_turned_away(self, message: AbstractIncomingMessage, floods: Floods, park: Park) -> bool:
        now = monotonic()
        if self._is_ours(message.user_id) or not floods.is_one(message.user_id, now):
            return False
        self._settling.turn_away(message, park)
        if line := floods.line(message.user_id, now):
            log.error("%s", line)
        return True

    def _take(self, message: AbstractIncomingMessage, *, unread: bool) -> None:
        delivery = self._read(message, unread=unread)
        # A reply is looked at last: that costs most, and whoever sends what is settled before can send any number.
        if why := self._may_answer(delivery.result.sender or delivery.message.user_id, delivery.queue):
            self._put_aside(message, Park(Reason(Slug.SENDER, why), tell=Tell.NEVER), delivery.about)
            return
        if self._schedule.is_delivered(delivery) and delivery.identity not in self._parked:
            self._obey(self._schedule.arrive(delivery, monotonic()))
            return
        if unread and not message.redelivered and self._schedule.is_here(delivery):
            # A copy of what waits is one more that goes over the rungs.
            copied = Park(Reason(Slug.REPEAT, "another copy of this result waits"), tell=Tell.NEVER)
            if self._is_turned_away(message, self._floods, copied):
                return
        judged = self._judged(delivery)
        if judged.wrong and delivery.identity in self._parked:
            # Once more: its student is told already, or will be.
            self._put_aside(message, replace(_refused(judged.wrong), tell=Tell.NEVER), delivery.about)
            return
        self._write_graded(delivery, judged.odd)
        if judged.wrong:
            self._start(self._settle(delivery, _refused(judged.wrong)))
        else:
            self._obey(self._schedule.arrive(delivery, monotonic()))

    def _read(self, message: AbstractIncomingMessage, *, unread: bool) -> Delivery:
        if len(message.body) > MAX_MESSAGE_BYTES:
            raise BadMessageError(f"{len(message.body)} bytes are more than the {MAX_MESSAGE_BYTES} allowed", b"")
        result = decode_result(message, ours=self._is_ours(message.user_id))
        address = self._sealer.open(result.sealed_return, result.submission)
        callback = callback_for(result, address)
        return Delivery(
            identity=Identity.of(result),
            url=str(callback.url),
            origin=callback.origin,
            queue=address.queue,
            tries=result.tries,
            graded_at=result.graded_at.timestamp(),
            submitted_at=address.sealed_at,
            unread=unread,
            message=message,
            result=result,
            callback=callback,
            callback_url=address.callback_url,
        )

    def _judged(self, delivery: Delivery) -> Finding:
        """Judge a reply if that can be done at once; the others stand in line, and are judged when they are first.

        The gateways let no wrong one through, AMQP graders may send them.
        """
        # What has been posted was judged before that.
        if self._judges is None or delivery.tries.made:
            delivery.judged = True
            return FINE
        judged = self._judges.at_once(delivery.url, delivery.callback.body, returns_of(delivery.message))
        delivery.judged = judged is not None
        return judged or FINE

    async def _judged_late(self, delivery: Delivery) -> Park | None:
        """Judge what takes a while, or a process apart, now that it would be posted."""
        if self._judges is None or delivery.judged:
            return None
        returns = returns_of(delivery.message)
        judged = await self._judges.check(delivery.url, delivery.callback.body, returns)
        return _refused(judged.wrong) if judged.wrong else None

    def _write_graded(self, delivery: Delivery, odd: str) -> None:
        """Write to the ledger that an AMQP grader's result has come: nobody else can tell that its submission ended.

        It is on its way there while the callback is made, and stored before the result is let go.
        """
        result = delivery.result
        if result.recorded or result.redriven or result.tries != NO_TRIES:
            return
        if odd:
            log.warning("submission %s, queue %s: its reply is taken, but %s", result.submission, delivery.queue, odd)
        submission, url = bytes.fromhex(result.submission), hash_url(delivery.callback_url)
        digest = blake2b(result.body, digest_size=KEY_HASH_BYTES).digest()
        delivery.graded = self._notes.write(Graded(time(), submission, delivery.queue, url, b"", digest, odd))

    def _obey(self, orders: Iterable[Order[Delivery]]) -> None:
        for order in orders:
            match order:
                case Post(delivery):
                    # What is not begun when we stop goes back to the queue with its channel.
                    if not self._stopping.is_set():
                        self._start(self._deliver(delivery))
                case Settle(delivery, verdict):
                    self._start(self._settle(delivery, verdict, level=level_of(delivery, verdict)))

    def _start(self, coroutine: Coroutine[Any, Any, object]) -> None:
        # A task of our own: aiormq cancels its own when the channel closes, in the midst of a POST.
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
            if refused := await self._judged_late(delivery):
                verdict = refused
            else:
                began_at = monotonic()
                outcome: Outcome = await self._poster.post(delivery.callback)
                verdict = self._judge(delivery, outcome, began_at)
        except Exception as error:  # a mistake of ours, as above
            if lacks := shortage(error):
                verdict = self._judge(delivery, not_made(lacks), began_at)
            else:
                log.exception("submission %s: unexpected error", delivery.identity.submission)
                verdict = Park(_mistake(error))
        answered_at = monotonic()
        if isinstance(verdict, Retry):
            # It may be back from a short rung before we have gone on here.
            self._obey(self._schedule.ended(delivery, verdict, answered_at))
            await self._settle(delivery, verdict, level=level_of_try(verdict))
        else:
            try:
                # Acked before the next is begun: a relay that is killed repeats no more than the callbacks under way.
                await self._settle(delivery, verdict)
            finally:
                # Whatever became of that: what never ends here keeps its slot, and all of its URL waiting, for ever.
                self._obey(self._schedule.ended(delivery, verdict, answered_at))

    async def _settle(self, delivery: Delivery, verdict: Verdict, *, level: int = logging.INFO) -> None:
        held = await self._settling.settle(
            delivery.message, verdict, delivery.about, level=level, graded=delivery.graded
        )
        if isinstance(held, Park):
            self._parked.add(delivery.identity)

    def _judge(self, delivery: Delivery, outcome: Outcome, began_at: float) -> Verdict:
        """Say what becomes of a result, and what the log, the ledger and the metrics have to know of its callback."""
        now, answered_at = time(), monotonic()
        ruling = self._schedule.outcome(delivery, outcome, answered_at)
        ruling = replace(ruling, is_too_large=is_too_large(outcome, delivery.callback))
        tries = delivery.tries
        verdict = judge(outcome, ruling, tries, self._ladder, self._patience, now=now, chance=self._chance())
        _say(self._announcer.of(self._schedule.paces[delivery.origin], answered_at))
        if isinstance(outcome, NotMade):
            _say(self._own_trouble.of(outcome, answered_at))
        if isinstance(outcome, Answered) and outcome.is_page:
            self._metrics.page(delivery.origin)
        if kind_of(outcome) is not Kind.UNASKED:
            self._metrics.posted(delivery.origin, answered_at - began_at)
        if verdict == Delivered():
            submission, notice = bytes.fromhex(delivery.identity.submission), delivery.result.notice
            self._notes.note(LedgerDelivered(now, submission, tries.made + 1, notice))
            self._metrics.delivered(delivery.origin, delivery.graded_at, now)
            if notice:
                self._metrics.told(delivery.origin)
        return verdict

    async def _finish(self) -> None:
        """Give what is under way a moment; what is not settled then goes back to the queue with its channel."""
        if self._under_way:
            log.info("stopping: %d callbacks under way", len(self._under_way))
            await asyncio.wait(self._under_way, timeout=STOP_GRACE_SECONDS)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)


def _refused(why: str) -> Park:
    return Park(Reason(Slug.REPLY, f"the grader's reply: {why}"))


def _say(lines: Iterable[Line]) -> None:
    for line in lines:
        log.log(line.level, "%s", line.text)


def _mistake(error: Exception) -> Reason:
    return Reason(Slug.MISTAKE, f"unexpected error: {type(error).__name__}")
