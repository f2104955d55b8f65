"""One queue served by pull graders and AMQP graders at once, another by a passive grader, while all of them are killed.

SUBMISSIONS=3000 for the full number.
"""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from functools import partial
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Protocol

import pytest
from aiohttp import web

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import (
    CHECKED_QUEUE,
    RESULTS_PARKED,
    RESULTS_QUEUE,
    SUBMISSIONS_FAILED,
    SUBMISSIONS_PARKED,
    submissions_queue,
)
from tests.support.amqp_grader import amqp_grader
from tests.support.broker import VHost
from tests.support.fleet import Fleet, fleet, reply_to
from tests.support.gateway import RETRY_DELAYS, SECRET_KEY, Gateway
from tests.support.lms import FakeLMS, running_lms
from tests.support.passive import bridge_process, running_grader, settings_for
from tests.support.queues import ready
from tests.support.relay import relay_process
from tests.support.waiting import PATIENCE_SECONDS

SUBMISSIONS = int(os.environ.get("SUBMISSIONS", "240"))
# How long a lease lasts whose grader was killed.
DELAY_MINUTES = 0.05
PULL_GRADERS = 6
START_SECONDS = 60.0
LIFE_SECONDS = (0.5, 3.0)
# Of what pull graders take, so much is never answered: they crashed.
CRASHES = 0.03

AMQP_GRADER = """
import json
from xqueue_grader import Options, run

def grade(submission):
    return json.dumps({"correct": True, "score": 1, "msg": "<p>Good job!</p>", "graded": submission.body})

run(grade, "openedx", options=Options(at_once=4, prefetch=8))
"""


class Mortal(Protocol):
    """A process that can be killed."""

    @property
    def log(self) -> str:
        """What it has logged."""

    async def kill(self) -> None:
        """Kill it with SIGKILL, and wait until it is gone."""


Start = Callable[[Path], AbstractAsyncContextManager[Mortal]]


async def keep_killing(start: Start, log: Path, done: Callable[[], bool], chance: random.Random) -> None:
    """Run a process, kill it at a random moment of its life, and start it again, until `done()`.

    Two of three consume first: on a busy machine, where a start takes longer than such a life, none ever did.
    """
    for life in count():
        if done():
            return
        async with start(log.with_suffix(f".{life}")) as process:
            if life % 3 != 1:
                await until(partial(consumes_or, done, process), START_SECONDS)
            await until(done, chance.uniform(*LIFE_SECONDS))
            await process.kill()


def consumes_or(done: Callable[[], bool], process: Mortal) -> bool:
    return done() or "consuming xqueue.submissions." in process.log


async def until(holds: Callable[[], bool], seconds: float) -> None:
    """Wait for it, or so long."""
    deadline = monotonic() + seconds
    while not holds() and monotonic() < deadline:
        await asyncio.sleep(0.05)


async def pull(clients: Fleet, done: Callable[[], bool], chance: random.Random) -> None:
    """Grade as pull graders do, some of whom crash with a submission in their hands."""
    while not done():
        submission = await clients.take("openedx")
        if submission and chance.random() > CRASHES:
            await clients.put(submission, reply_to(submission["xqueue_body"]))


async def submit_all(clients: Fleet, headers: Sequence[str]) -> None:
    accepted = await clients.submit_all(list(headers))
    assert len(accepted) == len(headers)


def counted(lms: FakeLMS) -> Counter[str]:
    return Counter(callback.xqueue_header.decode() for callback in lms.accepted)


@pytest.mark.timeout(600)
async def test_pull_amqp_and_passive_graders_that_are_killed_settle_each_submission_once(
    vhost: VHost, tmp_path: Path
) -> None:
    chance = random.Random(7)
    script = tmp_path / "grader.py"
    script.write_text(AMQP_GRADER)

    async def grade(request: web.Request) -> web.Response:
        await asyncio.sleep(0.005)
        return web.Response(text=reply_to((await request.json())["xqueue_body"]))

    async with AsyncExitStack() as stack:
        passive = await stack.enter_async_context(running_grader())
        passive.answer = grade
        queues = {"openedx": None, "called": passive.url}
        gateway = Gateway(vhost.amqp_url, tmp_path, queues, {"XQUEUE_SUBMISSION_PROCESSING_DELAY": str(DELAY_MINUTES)})
        settings = settings_for(
            vhost.amqp_url, queues, secret_key=SECRET_KEY, retry_delays=RETRY_DELAYS, grading_concurrency=8
        )
        await asyncio.to_thread(declare, vhost.amqp_url, settings.topology)
        lms = await stack.enter_async_context(running_lms())
        await asyncio.to_thread(gateway.start)
        stack.callback(gateway.kill)
        clients = await stack.enter_async_context(fleet(gateway.url))
        relay = await stack.enter_async_context(relay_process(settings, tmp_path / "relay.log"))
        headers = [
            lms.header(
                f"key-{number}", path=f"/{number}/score_update", queue="called" if number % 3 == 0 else "openedx"
            )
            for number in range(SUBMISSIONS)
        ]

        def done() -> bool:
            return len(lms.accepted) >= SUBMISSIONS and set(counted(lms)) == set(headers)

        async with asyncio.timeout(400), asyncio.TaskGroup() as tasks:
            tasks.create_task(submit_all(clients, headers))
            for number in range(2):
                grader = partial(amqp_grader, script, vhost.amqp_url)
                tasks.create_task(keep_killing(grader, tmp_path / f"grader-{number}.log", done, chance))
                bridge = partial(bridge_process, settings)
                tasks.create_task(keep_killing(bridge, tmp_path / f"bridge-{number}.log", done, chance))
            for _ in range(PULL_GRADERS):
                tasks.create_task(pull(clients, done, chance))
        # Nothing more comes: what was delivered twice to graders was settled once.
        async with asyncio.timeout(PATIENCE_SECONDS):
            while sum([await ready(vhost.amqp_url, queue) for queue in (RESULTS_QUEUE, CHECKED_QUEUE)]):
                await asyncio.sleep(0.1)
        assert "Traceback" not in relay.log
        assert "Traceback" not in gateway.log
        for queue in (RESULTS_PARKED, SUBMISSIONS_PARKED, SUBMISSIONS_FAILED, submissions_queue("called")):
            assert await ready(vhost.amqp_url, queue) == 0
    assert counted(lms) == Counter(headers)
    by = Counter(
        json.loads(callback.xqueue_body)["graded"] == callback.xqueue_header.decode() for callback in lms.accepted
    )
    assert by == Counter({True: SUBMISSIONS})
