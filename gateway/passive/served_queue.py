"""One course queue whose grader is called: each delivery tried until there is an answer or nothing left to try."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic

from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BadMessageError, BadReturnAddressError, MistakeError, UnknownSecretError
from broker_setup.link.connection import Link
from broker_setup.link.ending import Ending
from broker_setup.link.pauses import Pauses
from broker_setup.link.settling import SECRET_PAUSE_SECONDS, despite_mistakes, end_message, ending_after, until_stored
from broker_setup.link.steady_consumer import SteadyConsumer
from broker_setup.parking import Parking
from broker_setup.process.beside import acting_for
from broker_setup.process.shortages import shortage
from broker_setup.topology import RESULTS_QUEUE, paused_queue, submissions_queue
from broker_setup.wire.properties import returns_of, traceparent_of
from broker_setup.wire.reply_checker import DeadlyMessageError, ReplyChecker
from broker_setup.wire.results import Result
from broker_setup.wire.return_address import Sealer
from broker_setup.wire.submissions import decode_submission, decode_work
from gateway.passive.answers import Answers
from gateway.passive.ends import GiveBack, GiveUp, Publish
from gateway.passive.grader import Failed, NotAsked, PassiveGrader
from gateway.passive.metrics import QueueMetrics
from gateway.passive.tries import Tries
from gateway.passive.work import origin_of, request_body

log = logging.getLogger(__name__)

# How long requests under way may still take when the bridge stops; a process manager waits 10 s or more.
STOP_GRACE_SECONDS = 8.0
# The pause before a grader is asked again that could not be, because this machine was short of something.
SHORT_PAUSE_SECONDS = 5.0


class ServedQueue:
    """Serves one course queue until `run` is cancelled."""

    def __init__(
        self,
        name: str,
        *,
        link: Link,
        grader: PassiveGrader,
        at_once: int,
        retry_delays: Sequence[float],
        sealer: Sealer,
        checker: ReplyChecker,
        validates: bool,
        answers: Answers,
        parking: Parking,
        metrics: QueueMetrics,
    ) -> None:
        """Have up to `at_once` deliveries tried at a time, each again after each of `retry_delays` (seconds).

        Unless it `validates`, replies are not looked at.
        """
        self.name = name
        self._grader = grader
        self._retry_delays = retry_delays
        self._sealer = sealer
        self._checker = checker
        self._validates = validates
        self._answers = answers
        self._parking = parking
        self._metrics = metrics
        # However long it takes: what is graded is not graded again because the broker is away.
        self._until_stored = partial(until_stored, whose=f"queue {name}")
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._consumer = SteadyConsumer(
            link,
            submissions_queue(name),
            prefetch=at_once,
            received=self._received,
            lost=self._lost,
            is_paused=partial(Pauses(link, paused_queue).is_paused, name),
        )

    @property
    def is_consumed(self) -> bool:
        """Whether submissions come in."""
        return self._consumer.is_consuming

    @property
    def is_paused(self) -> bool:
        """Whether an operator has paused the queue."""
        return self._consumer.is_paused

    @property
    def under_way(self) -> int:
        """How many are at hand."""
        return len(self._under_way)

    async def run(self) -> None:
        """Serve until cancelled; then finish what is under way, and leave the rest to others."""
        async with self._grader:
            try:
                await self._consumer.run()
            finally:
                await self._finish()

    def _received(self, message: Arrival) -> None:
        # Not cancelled when the channel closes.
        task = asyncio.create_task(self._serve(message))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    def _lost(self) -> None:
        """Drop what is under way: the broker delivers it again, and a grader gets no more at once than it should."""
        for task in self._under_way:
            task.cancel()

    async def _finish(self) -> None:
        self._stopping.set()
        if self._under_way:
            log.info("queue %s: stopping: %d under way", self.name, len(self._under_way))
            await asyncio.wait(self._under_way, timeout=STOP_GRACE_SECONDS)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _serve(self, message: Arrival) -> None:
        acting_for.set(self.name)
        try:
            end = await self._grade(message)
        except DeadlyMessageError as error:
            end = GiveUp(str(error), unread=True)
        except UnknownSecretError as error:
            log.warning("queue %s, %r: waits: %s", self.name, message.correlation_id, error, extra=self._about(message))
            await self._pause(SECRET_PAUSE_SECONDS)
            end = GiveBack()
        except (BadMessageError, BadReturnAddressError) as error:
            end = GiveUp(str(error))
        except Exception as error:  # a mistake of ours: seen by an operator, never a loop, never a loss
            if lacks := shortage(error):
                await self._wait_out(lacks)
                end = GiveBack()
            else:
                log.exception("queue %s: unexpected error", self.name)
                end = GiveUp(f"unexpected error: {type(error).__name__}")
        await self._settle(message, end)

    async def _grade(self, message: Arrival) -> Publish | GiveUp | GiveBack:
        await self._checker.taste(message.body, returns_of(message))
        if origin := origin_of(message):
            body, files = decode_work(message.body)
            return await self._try(message, request_body(body, files), "", partial(self._answers.answer, origin))
        submission = decode_submission(message, self.name)
        address = self._sealer.open(submission.sealed_return, submission.uuid)

        def answer(reply: bytes) -> Awaitable[None]:
            result = Result(submission.uuid, reply, submission.sealed_return)
            return self._answers.result(result, message.reply_to or RESULTS_QUEUE)

        request = request_body(submission.body, submission.files)
        return await self._try(message, request, address.callback_url, answer)

    async def _try(
        self,
        message: Arrival,
        request: bytes,
        callback_url: str,
        answer: Callable[[bytes], Awaitable[None]],
    ) -> Publish | GiveUp | GiveBack:
        tries = Tries(self._retry_delays)
        while True:
            began = monotonic()
            reply = await self._grader.grade(request, traceparent_of(message))
            self._metrics.grading_seconds.observe(monotonic() - began)
            if isinstance(reply, NotAsked):
                await self._wait_out(reply.lacks)
                if self._stopping.is_set() or self.is_paused:
                    return GiveBack()
                continue
            if isinstance(reply, Failed):
                why, delay = reply.reason, tries.failed()
            elif wrong := await self._wrong_with(message, callback_url, reply.body):
                why, delay = f"its reply: {wrong}", tries.failed(reply.body)
            else:
                return Publish(partial(answer, reply.body))
            self._metrics.failed_tries.inc()
            if delay is None:
                return GiveUp(f"the grader was called {tries.made} times: {why}")
            words = "queue %s, %r: try %d: %s; again in %g s"
            about = self._about(message) | {"reason": why}
            log.info(words, self.name, message.correlation_id, tries.made, why, delay, extra=about)
            await self._pause(delay)
            if self._stopping.is_set() or self.is_paused:
                return GiveBack()

    async def _wrong_with(self, message: Arrival, callback_url: str, reply: bytes) -> str:
        if not self._validates:
            return ""
        found = await self._checker.check(callback_url, reply, returns_of(message))
        return found.wrong

    async def _wait_out(self, lacks: str) -> None:
        """Wait before something is tried again that this machine was too short of resources for; that is no try."""
        log.warning("queue %s: nothing can be graded here at the moment: %s", self.name, lacks)
        await self._pause(SHORT_PAUSE_SECONDS)

    async def _pause(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _settle(self, message: Arrival, end: Publish | GiveUp | GiveBack) -> None:
        """Store what came of a delivery, then let it go."""
        how = Ending.RETURNED
        if not isinstance(end, GiveBack):
            how = await ending_after(self._store(message, end), failed=f"queue {self.name}: nothing could be stored")
        end_message(message, how)

    def _about(self, message: Arrival) -> dict[str, str]:
        return {"uuid": message.correlation_id or "", "queue": self.name}

    async def _store(self, message: Arrival, end: Publish | GiveUp) -> None:
        match end:
            case Publish(answer):
                try:
                    await despite_mistakes(partial(self._until_stored, answer), whose=f"queue {self.name}")
                    self._metrics.answered.inc()
                except MistakeError as error:
                    # Given back it would be graded again, without end.
                    await self._store(message, GiveUp(f"its result could not be stored: {error}"))
            case GiveUp(reason, unread):
                about = self._about(message) | {"reason": reason}
                log.warning("queue %s, %r: given up: %s", self.name, message.correlation_id, reason, extra=about)
                if origin := origin_of(message):
                    await self._until_stored(partial(self._answers.refuse, origin))
                else:
                    await self._until_stored(partial(self._park, message, reason, unread=unread))
                self._metrics.given_up.inc()

    async def _park(self, message: Arrival, reason: str, *, unread: bool) -> None:
        if unread:
            await self._parking.unreadable(message, self.name, reason)
            return
        try:
            submission = decode_submission(message, self.name)
        except BadMessageError:
            await self._parking.unreadable(message, self.name, reason)
        else:
            await self._parking.submission(submission, reason)
