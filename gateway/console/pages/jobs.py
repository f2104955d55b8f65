"""What operators do with what is parked, as jobs: counted first, then done, one at a time, with its progress."""

import asyncio
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from enum import StrEnum
from time import time
from typing import Any

from broker_setup.errors import XQueueError
from broker_setup.operator.parked.redriving import ParkedMessages
from broker_setup.operator.parked.selection import Selection, Tally
from broker_setup.settings import Settings
from broker_setup.wire.parked import Kind
from gateway.console.pages.people import Visitor

log = logging.getLogger(__name__)

REDRIVE_RATE, DISCARD_RATE = 100, 1_000  # messages a second, as the command line's
# Of one person: jobs that are remembered, and that are under way.
MOST_JOBS = 20
MOST_UNDER_WAY = 3


class Verb(StrEnum):
    """What is done."""

    REDRIVE = "redrive"
    DISCARD = "discard"


class Stage(StrEnum):
    """How far a job has come."""

    COUNTING = "counting"
    COUNTED = "counted"
    DOING = "doing"
    DONE = "done"
    BROKEN_OFF = "broken off"


@dataclass
class Job:
    """One act of one person on what a selection names."""

    id: str
    verb: Verb
    by: str  # the account
    signature: str  # as it stands in the ledger
    selection: Selection
    about: str
    because: str
    although_told: bool
    began_at: float = field(default_factory=time)
    stage: Stage = Stage.COUNTING
    tally: Tally = field(default_factory=Tally)
    problem: str = ""

    @property
    def is_under_way(self) -> bool:
        """Whether it goes on by itself: nobody has to confirm it, and it is not over."""
        return self.stage in {Stage.COUNTING, Stage.DOING}


class Jobs:
    """The jobs of this console; a walk over what is parked holds it for a moment, so there is one at a time."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._turn = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_stopping = False
        self._in_thread: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None

    def begin(
        self, visitor: Visitor, verb: Verb, selection: Selection, about: str, because: str, *, although_told: bool
    ) -> Job | None:
        """Begin to count what would be done; None where this person has too much under way."""
        theirs = self.all_of(visitor)
        if self._is_busy(visitor.name):
            return None
        for old in [job for job in theirs if not job.is_under_way][MOST_JOBS - 1 :]:
            del self._jobs[old.id]
        job = Job(secrets.token_hex(8), verb, visitor.name, visitor.signature, selection, about, because, although_told)
        self._jobs[job.id] = job
        self._start(self._count(job))
        return job

    def of(self, job: str, visitor: Visitor) -> Job | None:
        """Return a job of this person's; None if there is none by that name."""
        found = self._jobs.get(job)
        return found if found and found.by == visitor.name else None

    def all_of(self, visitor: Visitor) -> list[Job]:
        """Return this person's jobs, the newest first."""
        return [job for job in reversed(self._jobs.values()) if job.by == visitor.name]

    def carry_out(self, job: Job) -> bool:
        """Do what was counted, once, and what is parked meanwhile and matches.

        Return False where this person has too much under way.
        """
        if job.stage is Stage.COUNTED:
            if self._is_busy(job.by):
                return False
            job.stage = Stage.DOING
            self._start(self._do(job))
        return True

    def _is_busy(self, name: str) -> bool:
        return sum(job.is_under_way for job in self._jobs.values() if job.by == name) >= MOST_UNDER_WAY

    async def stop(self) -> None:
        """Break off what is under way, each at the end of its portion."""
        self._is_stopping = True
        if under_way := self._in_thread:
            loop, task = under_way
            loop.call_soon_threadsafe(task.cancel)
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _count(self, job: Job) -> None:
        await self._run(job, Stage.COUNTED, lambda messages: messages.look(lambda _: None))

    async def _do(self, job: Job) -> None:
        def work(messages: ParkedMessages) -> Coroutine[Any, Any, None]:
            if job.verb is Verb.REDRIVE:
                return messages.redrive(REDRIVE_RATE, by=job.signature)
            return messages.discard(job.because, DISCARD_RATE, by=job.signature)

        await self._run(job, Stage.DONE, work)
        log.info("%s: %s %s: %d done", job.by, job.verb, job.about, job.tally.done)

    async def _run(self, job: Job, then: Stage, work: Callable[[ParkedMessages], Coroutine[Any, Any, None]]) -> None:
        async with self._turn:
            try:
                messages = ParkedMessages(
                    self._settings,
                    tuple(Kind),
                    job.selection,
                    although_told=job.although_told or job.verb is Verb.DISCARD,
                    progress=lambda _: None,
                )
                job.tally = messages.tally
                # In a loop of its own: a portion of 500 is work for a while, and pages should answer meanwhile.
                is_whole = await asyncio.to_thread(asyncio.run, self._unless_stopped(work(messages)))
            except XQueueError as error:
                job.stage, job.problem = Stage.BROKEN_OFF, str(error)
            except Exception as error:  # a mistake of ours: whoever looks at the job is told, and may begin anew
                log.exception("%s: %s %s", job.by, job.verb, job.about)
                job.stage, job.problem = Stage.BROKEN_OFF, f"unexpected error: {type(error).__name__}"
            else:
                job.stage = then if is_whole else Stage.BROKEN_OFF
                job.problem = "" if is_whole else "the console was stopped"

    async def _unless_stopped(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do the work in this thread's loop; return whether it came to its end."""
        task = asyncio.current_task()
        assert task is not None
        self._in_thread = asyncio.get_running_loop(), task
        try:
            if not self._is_stopping:
                await work
        except asyncio.CancelledError:
            if not self._is_stopping:
                raise
        finally:
            work.close()
            self._in_thread = None
        return not self._is_stopping

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
