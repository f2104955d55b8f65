"""A grader: submissions in, replies out; a submission is settled when its reply is stored, and never before."""

import asyncio
import logging
import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic

from xqueue_grader.checking import warn_of
from xqueue_grader.common.errors import BadMessageError, MessageTooLargeError
from xqueue_grader.common.process.logs import IN_LINES
from xqueue_grader.errors import FunctionFailedError, GraderBrokenError, GradingError
from xqueue_grader.options import Options, tolerated_returns
from xqueue_grader.pools import Grade, pool_for
from xqueue_grader.settlement import Answered, Failed, GivenBack, Settlement
from xqueue_grader.transports.choosing import transport_for
from xqueue_grader.transports.transport import Lease
from xqueue_grader.watching import Watched

log = logging.getLogger(__name__)

# For what is cancelled at the end: giving it back is one command each.
LAST_SECONDS = 2.0


@dataclass
class _AtHand:
    """A submission that was handed over, and when its grading began, if it has."""

    queue: str
    began: float | None = None  # by the monotonic clock


class Grader:
    """Grades the submissions of some queues with one function: `run` it, `stop` it."""

    def __init__(self, url: str, queues: Iterable[str], grade: Grade, options: Options | None = None) -> None:
        """Build it; nothing is opened yet. `queues` are course queues, as the LMS names them.

        Raise SettingsError where the URL can't be used.
        """
        self._options = options = options or Options()
        self._transport = transport_for(url, sorted(set(queues)), options.prefetch or options.at_once)
        self._pool = pool_for(grade, options.workers, options.at_once, options.timeout)
        self._room = asyncio.Semaphore(options.at_once)
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
            async with self._transport.opened(self._end):
                await self._take()
        finally:
            self._pool.close()
        if self._broken:
            raise self._broken
        log.info("stopped")

    async def serve(self, lease: Lease) -> None:
        """Grade a submission and end its lease, in a task of its own, which waits until there is room."""
        task = asyncio.current_task()
        assert task is not None
        self._at_hand[task] = work = _AtHand(lease.queue)
        try:
            async with self._room:
                work.began = monotonic()
                self._watched.begun(lease.queue)
                settlement = await self._graded(lease)
        except asyncio.CancelledError:  # we are stopping, its queue is paused, or the lease is lost
            settlement = GivenBack()
        if work.began is not None:
            self._watched.ended(lease.queue, settlement, monotonic() - work.began)
        _log_end(lease, settlement)
        try:
            await lease.end(settlement)
        finally:
            del self._at_hand[task]

    def give_back(self, queue: str | None = None) -> None:
        """Give back what is not begun, of one queue or of all."""
        for task, work in self._at_hand.items():
            if work.began is None and queue in {None, work.queue}:
                task.cancel()

    def _end(self, why: str) -> None:
        # The process may be another program's, which only has us within it.
        self._broken = self._broken or GraderBrokenError(why)
        self._stopping.set()

    async def _take(self) -> None:
        taking = asyncio.create_task(self._transport.take(self))
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({taking, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stopping.set()
            for task in (taking, stopping):
                task.cancel()
            await asyncio.wait({taking, stopping})
            await self._finish()
        if not taking.cancelled():
            taking.result()  # only a mistake of ours ends it: let that be seen

    async def _finish(self) -> None:
        """Give back what is not begun, and after a while also what is."""
        if self._at_hand:
            log.info("stopping: %d submissions at hand", len(self._at_hand))
        self.give_back()
        if self._at_hand:
            await asyncio.wait(self._at_hand, timeout=self._options.stop_grace)
        late = list(self._at_hand)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=LAST_SECONDS)

    async def _graded(self, lease: Lease) -> Settlement:
        if self._stopping.is_set():
            return GivenBack()
        attempt = 1
        try:
            submission = lease.read()
            attempt = submission.attempt
            self._refuse_poison(lease, attempt)
            reply = await self._pool.grade(submission)
            if not lease.is_call:
                await warn_of(lease.name, reply)
            return await lease.answer(reply)
        except BadMessageError as error:
            return Failed(f"this is no submission: {error}")
        except (GradingError, MessageTooLargeError) as error:
            if isinstance(error, FunctionFailedError):
                _show_trace(lease, attempt, error.trace)
            return Failed(str(error))
        except GraderBrokenError as error:
            self._broken = error
            self.stop()
            return GivenBack()
        except Exception as error:  # noqa: BLE001 - the function may raise anything
            _show_trace(lease, attempt, traceback.format_exc())
            return Failed(f"the function failed: {error!r}")

    def _refuse_poison(self, lease: Lease, attempt: int) -> None:
        # That it failed is all that can be said of it: RabbitMQ's count does not survive the dead-lettering.
        if (returns := lease.returns) >= tolerated_returns(attempt, self._options.returns):
            raise GradingError(f"it came back {returns} times without an end: it may be what kills graders")


def _log_end(lease: Lease, settlement: Settlement) -> None:
    match settlement:
        case Answered():
            log.info("submission %s: graded", lease.name, extra={"uuid": lease.name})
        case Failed(why):
            about = {"uuid": lease.name, "reason": why}
            log.warning("submission %s: rejected: %s", lease.name, why, extra=about)
        case GivenBack():
            pass


def _show_trace(lease: Lease, attempt: int, trace: str) -> None:
    """Log where the function failed, the first time: the next attempts have a line each, of what it was."""
    level = logging.ERROR if attempt <= 1 else logging.DEBUG
    log.log(level, "submission %s: the function failed\n%s", lease.name, trace.rstrip(), extra={IN_LINES: True})
