"""Graders made of a function poll a gateway, and all of them are killed at random: each result reaches the LMS once."""

import asyncio
import os
import random
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.acceptance.conftest import running_stack
from tests.support.broker import VHost
from tests.support.fleet import fleet
from tests.support.gateway import USERS
from tests.support.lms import FakeLMS
from tests.support.waiting import eventually

SUBMISSIONS = int(os.environ.get("SUBMISSIONS", "60"))
# How long a lease lasts whose grader was killed.
DELAY_MINUTES = "0.05"
LIFE_SECONDS = (0.1, 1.0)

GRADER = """
import time
from xqueue_grader import Options, reply, run

def grade(submission):
    time.sleep(0.05)
    return reply(correct=True, score=1, text=submission.body)

run(grade, "openedx", options=Options(at_once=4, prefetch=8))
"""


@asynccontextmanager
async def grader(url: str, log: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run one as a program; it is gone when the block ends."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("XQUEUE_")} | {"XQUEUE_URL": url}
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", GRADER, env=env, stdout=output, stderr=output
        )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def graded_in(log: Path) -> int:
    return log.read_text().count(": graded")


def delivered(lms: FakeLMS) -> Counter[str]:
    return Counter(callback.xqueue_header.decode() for callback in lms.accepted)


def has_work_or_all(log: Path, lms: FakeLMS) -> bool:
    return graded_in(log) > 0 or len(delivered(lms)) == SUBMISSIONS


async def keep_killing(url: str, folder: Path, lms: FakeLMS, chance: random.Random) -> None:
    """Have a grader work, kill it at a random moment after its first result, and start another, until all are in."""
    for life in range(1000):
        log = folder / f"grader-{life}.log"
        log.touch()
        async with grader(url, log) as process:
            await eventually(partial(has_work_or_all, log, lms))
            if len(delivered(lms)) == SUBMISSIONS:
                process.terminate()
                await process.wait()
                return
            await asyncio.sleep(chance.uniform(*LIFE_SECONDS))
            process.kill()


@pytest.mark.timeout(600)
async def test_nothing_is_lost_or_doubled_while_graders_and_gateway_are_killed(vhost: VHost, tmp_path: Path) -> None:
    chance = random.Random(18)
    async with running_stack(vhost.amqp_url, tmp_path, XQUEUE_SUBMISSION_PROCESSING_DELAY=DELAY_MINUTES) as stack:
        headers = stack.headers(SUBMISSIONS)
        url = stack.gateway.url.replace("http://", f"http://grader:{USERS['grader'].replace(' ', '%20')}@")
        async with stack.relay(), fleet(stack.gateway.url) as clients:
            await clients.submit_all(headers)
            killing = asyncio.create_task(keep_killing(url, tmp_path, stack.lms, chance))
            await stack.lms.wait_accepted(SUBMISSIONS // 3, within=120)
            await asyncio.to_thread(stack.gateway.kill)
            await asyncio.to_thread(stack.gateway.start)
            await asyncio.wait_for(killing, 300)
            assert delivered(stack.lms) == Counter(headers)
