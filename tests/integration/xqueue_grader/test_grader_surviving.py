"""Connections and graders die in the midst of grading; each submission is answered, and settled."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from broker_setup.topology import submissions_queue
from tests.support.grading import QUEUE, Course, Gate, grading
from tests.support.proxy import proxied
from tests.support.waiting import eventually
from xqueue_grader import Workers

SCRIPT = "tests.support.grader_script"


@asynccontextmanager
async def grader_process(
    amqp_url: str, started: Path, workers: Workers = Workers.THREADS
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run the script; it is gone when the block ends."""
    env = os.environ | {"XQUEUE_AMQP_URL": amqp_url}
    with started.with_suffix(".log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", SCRIPT, workers, started, env=env, stdout=log, stderr=log
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def begun(started: Path) -> list[str]:
    return started.read_text().split() if started.exists() else []


async def test_a_connection_that_is_cut_while_it_grades_costs_nothing_but_time(course: Course) -> None:
    gate = Gate()
    async with proxied(course.amqp_url) as proxy, grading(proxy.url, gate.grade):
        uuids = [await course.submit() for _ in range(3)]
        await eventually(lambda: len(gate.begun) == 3)
        await proxy.close()
        await proxy.open()
        await eventually(lambda: len(gate.begun) == 6)
        gate.open.set()
        results = [(await course.take()).correlation_id for _ in uuids]
    assert sorted(map(str, results)) == sorted(uuids)
    assert await course.waiting() == 0
    assert await course.is_settled()


async def test_a_queue_that_is_missing_is_graded_once_it_is_there(course: Course) -> None:
    gate = Gate()
    gate.open.set()
    await course.delete(QUEUE)
    async with grading(course.amqp_url, gate.grade):
        await course.declare()
        uuid = await course.submit()
        assert (await course.take()).correlation_id == uuid


@pytest.mark.parametrize("workers", list(Workers))
async def test_a_grader_that_is_killed_leaves_its_submissions_to_another(
    course: Course, tmp_path: Path, workers: Workers
) -> None:
    started = tmp_path / "started"
    async with grader_process(course.amqp_url, started, workers) as victim:
        uuids = [await course.submit("wait 60"), await course.submit("wait 60"), await course.submit()]
        await eventually(lambda: len(begun(started)) == 2)
        victim.kill()
        await victim.wait()
    gate = Gate()
    gate.open.set()
    async with grading(course.amqp_url, gate.grade):
        results = [(await course.take()).correlation_id for _ in uuids]
    assert sorted(map(str, results)) == sorted(uuids)
    assert await course.waiting() == 0
    assert await course.is_settled()


@pytest.mark.parametrize("workers", list(Workers))
async def test_a_grader_that_is_stopped_finishes_what_it_began_and_gives_back_the_rest(
    course: Course, tmp_path: Path, workers: Workers
) -> None:
    started = tmp_path / "started"
    async with grader_process(course.amqp_url, started, workers) as process:
        for _ in range(2):
            await course.submit("wait")
        await eventually(lambda: len(begun(started)) == 2)
        for _ in range(3):
            await course.submit("wait")
        await eventually(lambda: course.ready_is(1))
        process.send_signal(signal.SIGTERM)
        # What it prefetched comes back: it has heard, and begins nothing more.
        await eventually(lambda: course.ready_is(3))
        started.with_suffix(".go").touch()
        async with asyncio.timeout(60):
            assert await process.wait() == 0
    graded = {str((await course.take()).correlation_id) for _ in range(2)}
    assert graded == set(begun(started))
    assert await course.waiting() == 0
    assert await course.waiting(submissions_queue(QUEUE)) == 3


@pytest.mark.parametrize("workers", list(Workers))
async def test_what_is_not_done_in_time_when_a_grader_is_stopped_goes_back(
    course: Course, tmp_path: Path, workers: Workers
) -> None:
    started = tmp_path / "started"
    async with grader_process(course.amqp_url, started, workers) as process:
        await course.submit("wait 60")
        await eventually(lambda: begun(started))
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(15):
            assert await process.wait() == 0
    await eventually(lambda: course.ready_is(1))
    assert await course.waiting() == 0
