"""Functions that fail, hang and leave, in threads and on the loop."""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.project import ROOT
from tests.support.waiting import eventually
from xqueue_grader import Answer, GraderBrokenError, GradingError, Submission, Workers
from xqueue_grader.pools import Coroutines, Pool, Processes, Threads, pool_for

WORK = Submission("work", {}, 1, "openedx", 1, "0" * 32)


@asynccontextmanager
async def opened(pool: Pool) -> AsyncIterator[Pool]:
    await pool.open()
    try:
        yield pool
    finally:
        pool.close()


def fine(submission: Submission) -> Answer:
    return submission.body


async def fine_on_the_loop(submission: Submission) -> Answer:
    return submission.body


def test_the_pool_suits_the_function() -> None:
    assert isinstance(pool_for(fine, Workers.THREADS, 2, None), Threads)
    assert isinstance(pool_for(fine, Workers.PROCESSES, 2, None), Processes)
    assert isinstance(pool_for(fine_on_the_loop, Workers.THREADS, 2, None), Coroutines)


async def test_threads_work_at_the_same_time() -> None:
    barrier = threading.Barrier(3, timeout=60)

    def meet(submission: Submission) -> Answer:
        barrier.wait()
        return "met"

    async with opened(pool_for(meet, Workers.THREADS, 3, None)) as pool:
        assert await asyncio.gather(*(pool.grade(WORK) for _ in range(3))) == [b"met"] * 3


def leave(submission: Submission) -> Answer:
    sys.exit(3)


@pytest.mark.parametrize("workers", list(Workers))
async def test_a_function_that_leaves_ends_no_grader(workers: Workers) -> None:
    async with opened(pool_for(leave, workers, 1, None)) as pool:
        for _ in range(2):
            with pytest.raises(GradingError, match="SystemExit"):
                await pool.grade(WORK)


async def test_a_thread_that_was_given_up_grades_again_when_its_function_returns() -> None:
    slow = threading.Event()

    def wait_once(submission: Submission) -> Answer:
        assert slow.wait(20)
        return "done"

    async with opened(pool_for(wait_once, Workers.THREADS, 1, 0.1)) as pool:
        with pytest.raises(GradingError, match=r"longer than 0\.1 s"):
            await pool.grade(WORK)
        with pytest.raises(GraderBrokenError, match="all 1 threads"):
            await pool.grade(WORK)
        slow.set()

        async def graded() -> bool:
            try:
                return await pool.grade(WORK) == b"done"
            except GraderBrokenError:
                return False

        await eventually(graded)


async def test_a_submission_that_waits_for_a_thread_hears_that_none_comes_back() -> None:
    hang = threading.Event()

    def wait(submission: Submission) -> Answer:
        assert hang.wait(20)
        return "done"

    async with opened(pool_for(wait, Workers.THREADS, 2, 0.2)) as pool:
        async with asyncio.timeout(60):
            ends = await asyncio.gather(*(pool.grade(WORK) for _ in range(3)), return_exceptions=True)
        assert [type(end) for end in ends] == [GradingError, GradingError, GraderBrokenError]
        hang.set()


async def test_a_submission_that_waits_for_a_thread_longer_than_it_may_be_graded_has_its_turn() -> None:
    def take_a_while(submission: Submission) -> Answer:
        time.sleep(0.3)
        return "done"

    async with opened(pool_for(take_a_while, Workers.THREADS, 1, 0.4)) as pool:
        assert await asyncio.gather(*(pool.grade(WORK) for _ in range(3))) == [b"done"] * 3


async def test_a_timeout_of_the_functions_own_is_its_failure() -> None:
    async def give_up(submission: Submission) -> Answer:
        raise TimeoutError("the database")

    async with opened(pool_for(give_up, Workers.THREADS, 1, 10)) as pool:
        with pytest.raises(TimeoutError, match="the database"):
            await pool.grade(WORK)


async def test_a_function_that_no_process_can_have_is_said_before_there_is_work() -> None:
    here: Callable[[Submission], Answer] = lambda _: "{}"  # noqa: E731
    with pytest.raises(GraderBrokenError, match="no worker process could be started"):
        await pool_for(here, Workers.PROCESSES, 1, None).open()


def test_a_script_that_calls_run_when_it_is_imported_is_told_so(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from xqueue_grader import Options, Workers, run\n"
        "def grade(submission): return '{}'\n"
        "run(grade, 'openedx', options=Options(at_once=1, workers=Workers.PROCESSES))\n"
    )
    ended = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, timeout=60, check=False,
        env={"PYTHONPATH": str(ROOT)}, cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 1
    assert (
        "grader: no worker process could be started: it ended as it began (exit code 1): is `run` called"
        in ended.stderr
    )


async def test_a_process_that_is_killed_is_the_failure_of_one_submission() -> None:
    async with opened(pool_for(fine, Workers.PROCESSES, 1, None)) as pool:
        assert await pool.grade(WORK) == b"work"
        [process] = pool._processes  # type: ignore[attr-defined]
        assert process._process
        process._process.kill()
        process._process.join()
        assert await pool.grade(WORK) == b"work"
