"""An AMQP grader: submissions in, replies out; a submission is settled when its reply is stored, and never before."""

import asyncio
import logging
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from time import monotonic

from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BadMessageError, MessageTooLargeError
from broker_setup.grader.answering import Answering, warn_of
from broker_setup.grader.errors import FunctionFailedError, GraderBrokenError, GradingError
from broker_setup.grader.pools import Grade, Workers, pool_for
from broker_setup.grader.request import read_request, tolerated_returns
from broker_setup.grader.settlement import Answered, Failed, GivenBack, Settlement
from broker_setup.grader.watching import Watch, Watched
from broker_setup.link.connection import Link, supervised
from broker_setup.link.ending import Ending
from broker_setup.link.pauses import Pauses
from broker_setup.link.publisher import Publisher
from broker_setup.link.settling import end_message
from broker_setup.link.steady_consumer import SteadyTasks
from broker_setup.process.logs import IN_LINES
from broker_setup.topology import submissions_queue
from broker_setup.wire.properties import returns_of

log = logging.getLogger(__name__)

# For what is cancelled at the end: giving it back is one command each.
LAST_SECONDS = 2.0


@dataclass(frozen=True)
class Options:
    """How a grader works.

    `at_once` submissions are graded at a time, in `workers` unless the function is a coroutine, for `timeout` seconds
    each at most. It holds `prefetch` of each queue (`at_once`, if None): those beyond what it grades wait here, for
    nobody else. When it is stopped, what is under way has `stop_grace` seconds. What came back to its queue `returns`
    times without an end is rejected ungraded, as it may be what kills graders: that is a failed attempt, and each one
    halves what is tolerated in the next, down to one. `watch` is told of each.
    """

    at_once: int = 4
    workers: Workers = Workers.THREADS
    timeout: float | None = None
    prefetch: int | None = None
    stop_grace: float = 20.0
    returns: int = 20
    watch: Watch | None = None


@dataclass
class _AtHand:
    """A submission that was delivered, and when its grading began, if it has."""

    queue: str
    began: float | None = None  # by the monotonic clock


class Grader:
    """Grades the submissions of some queues with one function: `run` it, `stop` it."""

    def __init__(self, amqp_url: str, queues: Iterable[str], grade: Grade, options: Options | None = None) -> None:
        """Build it; nothing is opened yet. `queues` are course queues, as the LMS names them."""
        self._options = options = options or Options()
        queues = sorted(set(queues))
        name = f"grader of {', '.join(queues)}"
        # Two connections: under an alarm the broker stops reading from one that publishes, acks and all.
        self._source = Link(amqp_url, f"{name}: consume")
        self._sink = Link(amqp_url, f"{name}: publish")
        self._answering = Answering(Publisher(self._sink))
        self._pool = pool_for(grade, options.workers, options.at_once, options.timeout)
        self._room = asyncio.Semaphore(options.at_once)
        prefetch = options.prefetch or options.at_once
        pauses = Pauses(self._source)
        self._consumers = [
            SteadyTasks(
                self._source,
                submissions_queue(queue),
                prefetch=prefetch,
                serve=partial(self._received, queue=queue),
                is_paused=partial(pauses.is_paused, queue),
                stopped=partial(self._give_back, queue),
            )
            for queue in queues
        ]
        self._at_hand: dict[asyncio.Task[None], _AtHand] = {}
        self._watched = Watched(options.watch)
        self._stopping = asyncio.Event()
        self._broken: GraderBrokenError | None = None

    def stop(self) -> None:
        """Ask `run` to take no more submissions, finish what is under way and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Grade until `stop`; a broker that is away, or comes back, is no reason to end.

        Raise GraderBrokenError where no worker can be started, none comes back, or a mistake of ours ended a task.
        """
        try:
            await self._pool.open()
            async with supervised(self._source, self._sink, stop=self._end):
                await self._consume()
        finally:
            self._pool.close()
        if self._broken:
            raise self._broken
        log.info("stopped")

    def _end(self, why: str) -> None:
        # The process may be another program's, which only has us within it.
        self._broken = self._broken or GraderBrokenError(why)
        self._stopping.set()

    async def _consume(self) -> None:
        consuming = [asyncio.create_task(consumer.run()) for consumer in self._consumers]
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({*consuming, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stopping.set()
            for task in (*consuming, stopping):
                task.cancel()
            await asyncio.wait({*consuming, stopping})
            await self._finish()
        for task in consuming:
            if not task.cancelled():
                task.result()  # only a mistake of ours ends it: let that be seen

    async def _finish(self) -> None:
        """Give back what is not begun, and after a while also what is."""
        if self._at_hand:
            log.info("stopping: %d submissions at hand", len(self._at_hand))
        self._give_back()
        if self._at_hand:
            await asyncio.wait(self._at_hand, timeout=self._options.stop_grace)
        late = list(self._at_hand)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=LAST_SECONDS)

    def _give_back(self, queue: str | None = None) -> None:
        """Give back what is not begun, of one queue or of all."""
        for task, work in self._at_hand.items():
            if work.began is None and queue in {None, work.queue}:
                task.cancel()

    async def _received(self, message: Arrival, queue: str) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._at_hand[task] = work = _AtHand(queue)
        try:
            async with self._room:
                work.began = monotonic()
                self._watched.begun(queue)
                settlement = await self._graded(message, queue)
        except asyncio.CancelledError:  # we are stopping, its queue is paused, or its channel is gone
            settlement = GivenBack()
        if work.began is not None:
            self._watched.ended(queue, settlement, monotonic() - work.began)
        try:
            await self._settle(message, settlement)
        finally:
            del self._at_hand[task]

    async def _graded(self, message: Arrival, queue: str) -> Settlement:
        if self._stopping.is_set():
            return GivenBack()
        attempt = 1
        try:
            request = read_request(message, queue)
            attempt = request.submission.attempt
            self._refuse_poison(message, attempt)
            reply = await self._pool.grade(request.submission)
            await warn_of(request, reply)
            return await self._answering.answer(request, reply)
        except BadMessageError as error:
            return Failed(f"this is no submission: {error}")
        except (GradingError, MessageTooLargeError) as error:
            if isinstance(error, FunctionFailedError):
                _show_trace(message, attempt, error.trace)
            return Failed(str(error))
        except GraderBrokenError as error:
            self._broken = error
            self.stop()
            return GivenBack()
        except Exception as error:  # noqa: BLE001 - the function may raise anything
            _show_trace(message, attempt, traceback.format_exc())
            return Failed(f"the function failed: {error!r}")

    def _refuse_poison(self, message: Arrival, attempt: int) -> None:
        # A reject is all that can be said of it: RabbitMQ's count does not survive the dead-lettering.
        if (returns := returns_of(message)) >= tolerated_returns(attempt, self._options.returns):
            raise GradingError(f"it came back {returns} times without an end: it may be what kills graders")

    async def _settle(self, message: Arrival, settlement: Settlement) -> None:
        """End the delivery as `settlement` says: the one place that acks, nacks and rejects."""
        match settlement:
            case Answered():
                log.info("submission %s: graded", _name(message), extra={"uuid": _name(message)})
                how = Ending.ACKED
            case Failed(why):
                about = {"uuid": _name(message), "reason": why}
                log.warning("submission %s: rejected: %s", _name(message), why, extra=about)
                how = Ending.REJECTED
            case GivenBack():
                how = Ending.RETURNED
        end_message(message, how)


def _show_trace(message: Arrival, attempt: int, trace: str) -> None:
    """Log where the function failed, the first time: the next attempts have a line each, of what it was."""
    level = logging.ERROR if attempt <= 1 else logging.DEBUG
    log.log(level, "submission %s: the function failed\n%s", _name(message), trace.rstrip(), extra={IN_LINES: True})


def _name(message: Arrival) -> str | None:
    return message.correlation_id
