"""Where grading functions run: on the event loop, in threads, or in processes that can be killed."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import StrEnum
from queue import SimpleQueue
from threading import Thread
from typing import Protocol, cast

from xqueue_grader.errors import GraderBrokenError, GradingError
from xqueue_grader.reply import Answer, encoded
from xqueue_grader.submission import Submission
from xqueue_grader.worker_process import WorkerProcess

Grade = Callable[[Submission], Answer] | Callable[[Submission], Awaitable[Answer]]
Blocking = Callable[[Submission], Answer]


class Workers(StrEnum):
    """Where a function that is no coroutine runs."""

    THREADS = "threads"
    PROCESSES = "processes"


class Pool(Protocol):
    """Grades; what it raises other than GraderBrokenError concerns the one submission."""

    async def open(self) -> None:
        """Make ready; raise GraderBrokenError where that can't be."""

    async def grade(self, submission: Submission) -> bytes:
        """Return the reply."""

    def close(self) -> None:
        """End it, and what can be ended of what is under way."""


def pool_for(grade: Grade, workers: Workers, at_once: int, timeout: float | None) -> Pool:
    """Make the pool that runs `grade`, `at_once` at a time, each for `timeout` seconds at most."""
    if inspect.iscoroutinefunction(grade):
        return Coroutines(grade, timeout)
    function = cast("Blocking", grade)
    if workers is Workers.PROCESSES:
        return Processes(function, at_once, timeout)
    return Threads([function] * at_once, timeout)


class Coroutines:
    """Runs an async function on the event loop."""

    def __init__(self, function: Callable[[Submission], Awaitable[Answer]], timeout: float | None) -> None:
        self._function = function
        self._timeout = timeout

    async def open(self) -> None:
        """Nothing to do."""

    async def grade(self, submission: Submission) -> bytes:
        """Await the function; one that is too slow is cancelled."""
        if self._timeout is None:
            return encoded(await self._function(submission))
        limit = asyncio.timeout(self._timeout)
        try:
            async with limit:
                return encoded(await self._function(submission))
        except TimeoutError:
            if limit.expired():
                raise _too_slow(self._timeout) from None
            raise

    def close(self) -> None:
        """Nothing to do."""


class Threads:
    """Runs each of some functions in a thread of its own.

    A thread can't be ended: one that is too slow goes on, for nothing, and grades nothing else until it is done. When
    all are like that the grader is broken.
    """

    def __init__(self, functions: list[Blocking], timeout: float | None) -> None:
        self._threads = [_Thread(function) for function in functions]
        self._timeout = timeout
        self._idle: asyncio.LifoQueue[_Thread] = asyncio.LifoQueue()
        self._slow = 0

    async def open(self) -> None:
        """Start the threads."""
        for thread in self._threads:
            thread.start()
            self._idle.put_nowait(thread)

    async def grade(self, submission: Submission) -> bytes:
        """Run the function in a free thread; raise GradingError where it takes too long."""
        thread = await self._free_thread()
        done = thread.begin(submission)
        # Also when nobody waits any more: the thread is free again when its function has returned, not before.
        done.add_done_callback(lambda _: self._idle.put_nowait(thread))
        finished, _ = await asyncio.wait({done}, timeout=self._timeout)
        if not finished:
            assert self._timeout is not None
            self._give_up_on(done)
            raise _too_slow(self._timeout)
        return done.result()

    def close(self) -> None:
        """Let idle threads end; the others are daemons and end with the process."""
        for thread in self._threads:
            thread.end()

    async def _free_thread(self) -> "_Thread":
        while True:
            if self._slow == len(self._threads):
                raise GraderBrokenError(f"all {self._slow} threads are busy with functions that do not return")
            # Those that are busy now are free or given up on by then.
            with suppress(TimeoutError):
                async with asyncio.timeout(self._timeout):
                    return await self._idle.get()

    def _give_up_on(self, done: asyncio.Future[bytes]) -> None:
        def late(_: object) -> None:
            self._slow -= 1

        self._slow += 1
        done.add_done_callback(late)


class Processes(Threads):
    """Runs a function in processes; each has a thread here that waits for it, and kills it when it is too slow."""

    def __init__(self, function: Blocking, count: int, timeout: float | None) -> None:
        self._processes = [WorkerProcess(function, timeout) for _ in range(count)]
        super().__init__([process.grade for process in self._processes], timeout=None)

    async def open(self) -> None:
        """Start all processes, so that one that can't start says so before there is work."""
        await asyncio.gather(*(asyncio.to_thread(process.start) for process in self._processes))
        await super().open()

    def close(self) -> None:
        """Kill them."""
        super().close()
        for process in self._processes:
            process.kill()


class _Thread:
    """A thread that runs one function, one submission at a time."""

    def __init__(self, function: Blocking) -> None:
        self._function = function
        self._jobs: SimpleQueue[tuple[Submission, asyncio.Future[bytes]] | None] = SimpleQueue()

    def start(self) -> None:
        Thread(target=self._work, name="grader", daemon=True).start()

    def begin(self, submission: Submission) -> asyncio.Future[bytes]:
        done = asyncio.get_running_loop().create_future()
        done.add_done_callback(lambda _: done.cancelled() or done.exception())  # it may come when nobody asks any more
        self._jobs.put((submission, done))
        return done

    def end(self) -> None:
        self._jobs.put(None)

    def _work(self) -> None:
        while job := self._jobs.get():
            submission, done = job
            result: bytes | BaseException
            try:
                result = encoded(self._function(submission))
            except BaseException as error:  # noqa: BLE001 - sys.exit() in a function ends no grader
                result = error if isinstance(error, Exception) else GradingError(f"the function ended with {error!r}")
            try:
                done.get_loop().call_soon_threadsafe(_tell, done, result)
            except RuntimeError:  # the loop is closed: nobody waits
                return


def _tell(done: asyncio.Future[bytes], result: bytes | BaseException) -> None:
    if done.done():
        return
    if isinstance(result, BaseException):
        done.set_exception(result)
    else:
        done.set_result(result)


def _too_slow(seconds: float) -> GradingError:
    return GradingError(f"the function took longer than {seconds:g} s")
