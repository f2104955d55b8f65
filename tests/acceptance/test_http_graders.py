"""The wheel of xqueue-grader polls, in an environment of its own, and is killed at random: each result comes once."""

import asyncio
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from time import monotonic
from urllib.parse import quote

import pytest

from tests.acceptance.conftest import Stack, running_stack
from tests.support.broker import VHost
from tests.support.fleet import fleet
from tests.support.gateway import USERS, Client
from tests.support.grader_wheel import make_environment, python_in
from tests.support.lms import FakeLMS
from tests.support.once import made_once
from tests.support.waiting import eventually
from xqueue_grader import Answer, Grader, Options, Submission, reply
from xqueue_grader.sandbox import Kind, Sandbox

SUBMISSIONS = int(os.environ.get("SUBMISSIONS", "60"))
# How long a lease lasts whose grader was killed.
DELAY_SECONDS = 3.0
# Room for a busy machine to be late with the first extension, a third of it after the hand-out.
EXTENDED_SECONDS = 9.0
LIFE_SECONDS = (0.1, 1.0)

GRADER = """
import time
from xqueue_grader import Options, reply, run

def grade(submission):
    time.sleep(0.05)
    return reply(correct=True, score=1, text=submission.body)

run(grade, "openedx", options=Options(at_once=4, prefetch=8))
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Path:
    """The Python of the environment."""
    return python_in(made_once(tmp_path_factory, testrun_uid, "grader-wheel", make_environment))


@asynccontextmanager
async def grader(python: Path, url: str, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run one as a program; it is gone when the block ends."""
    env = {"XQUEUE_URL": url}
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            python, "-I", "-c", GRADER, env=env, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def keep_killing(python: Path, url: str, folder: Path, done: Callable[[], bool], chance: random.Random) -> int:
    """Have a grader work, kill it at a random moment after its first result, and start another, until `done()`.

    Return how many were killed.
    """
    for life in range(1000):
        log = folder / f"grader-{life}.log"
        log.touch()
        async with grader(python, url, log) as process:
            await eventually(partial(has_graded_or, done, log))
            if done():
                process.terminate()
                # What had only just begun may not heed it yet.
                assert await process.wait() in {0, -signal.SIGTERM}, log.read_text()
                return life
            await asyncio.sleep(chance.uniform(*LIFE_SECONDS))
            process.kill()
    raise AssertionError("nothing came to an end")


def has_graded_or(done: Callable[[], bool], log: Path) -> bool:
    return ": graded" in log.read_text() or done()


def delivered(lms: FakeLMS) -> Counter[str]:
    return Counter(callback.xqueue_header.decode() for callback in lms.accepted)


@pytest.mark.timeout(600)
async def test_nothing_is_lost_or_doubled_while_graders_and_gateway_are_killed(
    vhost: VHost, tmp_path: Path, python: Path
) -> None:
    delay = str(DELAY_SECONDS / 60)
    async with running_stack(vhost.amqp_url, tmp_path, XQUEUE_SUBMISSION_PROCESSING_DELAY=delay) as stack:
        headers = stack.headers(SUBMISSIONS)
        async with stack.relay(), fleet(stack.gateway.url) as clients:
            await clients.submit_all(headers)
            done = partial(all_in, stack.lms)
            killing = asyncio.create_task(keep_killing(python, url_of(stack), tmp_path, done, random.Random(18)))
            await stack.lms.wait_accepted(SUBMISSIONS // 3, within=120)
            await asyncio.to_thread(stack.gateway.kill)
            await asyncio.to_thread(stack.gateway.start)
            assert await asyncio.wait_for(killing, 300) > 0
            assert delivered(stack.lms) == Counter(headers)


async def test_a_gateway_has_leases_run_on_and_gets_back_what_is_not_begun(vhost: VHost, tmp_path: Path) -> None:
    begun, go = [], threading.Event()

    def hold(submission: Submission) -> Answer:
        begun.append(submission.body)
        go.wait(120)
        return reply(correct=True, score=1, text="held")

    delay = str(EXTENDED_SECONDS / 60)
    async with running_stack(vhost.amqp_url, tmp_path, XQUEUE_SUBMISSION_PROCESSING_DELAY=delay) as stack:
        async with fleet(stack.gateway.url) as clients:
            await clients.submit_all(stack.headers(3), at_once=1)
        polls = Grader(url_of(stack), ["openedx"], hold, Options(at_once=1, prefetch=3, stop_grace=120))
        running = asyncio.create_task(polls.run())
        with Client(stack.gateway.url) as client:
            await eventually(lambda: begun)
            await asyncio.to_thread(client.wait_queuelen, 0)
            until = monotonic() + 1.5 * EXTENDED_SECONDS
            await eventually(lambda: monotonic() > until)
            assert await asyncio.to_thread(client.get) is None, "a lease ran out"
            polls.stop()
            await asyncio.to_thread(client.wait_queuelen, 2)
            go.set()
            await running
        async with stack.relay():
            assert [each.xqueue_header.decode() for each in await stack.lms.wait_accepted(1)] == begun


def url_of(stack: Stack) -> str:
    return stack.gateway.url.replace("http://", f"http://grader:{quote(USERS['grader'], safe='')}@")


def all_in(lms: FakeLMS) -> bool:
    return len(delivered(lms)) == SUBMISSIONS


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", [Kind.ORIGINAL, Kind.EDX_SUBMISSIONS])
async def test_nothing_is_lost_or_doubled_at_a_server_that_knows_no_more_than_the_original(
    kind: Kind, tmp_path: Path, python: Path
) -> None:
    with Sandbox(kind=kind, lease_seconds=DELAY_SECONDS) as sandbox:
        for number in range(SUBMISSIONS // 2):
            sandbox.submit(f"work {number}")

        def done() -> bool:
            return all(each.replies for each in sandbox.all())

        killed = await keep_killing(python, sandbox.url, tmp_path, done, random.Random(18))
        assert killed > 0
        assert {len(each.replies) for each in sandbox.all()} == {1}
