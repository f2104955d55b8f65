"""The wheel of xqueue-grader in an environment of its own: five lines grade, and kills lose and double nothing."""

import asyncio
import html
import json
import random
import subprocess
from collections import Counter
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from broker_setup.topology import CHECKED_QUEUE, RESULTS_QUEUE, submissions_queue
from tests.acceptance.conftest import Stack
from tests.support.amqp_grader import amqp_grader
from tests.support.fleet import fleet
from tests.support.grader_wheel import make_environment, python_in, required_by, site_of
from tests.support.once import made_once
from tests.support.queues import ready
from tests.support.waiting import PATIENCE_SECONDS, eventually

QUEUES = (submissions_queue("openedx"), RESULTS_QUEUE, CHECKED_QUEUE)

SCRIPT = """
import time
from xqueue_grader import reply, run
def grade(submission):
    time.sleep(0.02)
    return reply(correct=True, score=1, text=submission.body)
run(grade, "openedx")
"""

EVERYTHING = """
import importlib, pathlib, sys, xqueue_grader
root = pathlib.Path(xqueue_grader.__file__).parent
for file in sorted(root.rglob("*.py")):
    name = ".".join(file.relative_to(root.parent).with_suffix("").parts).removesuffix(".__init__")
    # One with the extra of that name, the others by a pytest of whoever has one.
    if name != "xqueue_grader.metrics" and file.name != "pytest_plugin.py":
        importlib.import_module(name)
print(root)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Path:
    return made_once(tmp_path_factory, testrun_uid, "grader-wheel", make_environment)


def test_the_wheel_brings_few_packages_and_all_of_it_runs_with_these_alone(place: Path) -> None:
    [own] = Distribution.discover(name="xqueue-grader", path=[str(site_of(place))])
    assert len(required_by(own)) <= 6
    python = [str(python_in(place)), "-I", "-c", EVERYTHING]
    ran = subprocess.run(python, cwd=place, capture_output=True, text=True, check=False)
    assert (ran.stderr, ran.stdout.startswith(str(site_of(place)))) == ("", True)


async def test_five_lines_grade_and_graders_that_are_killed_lose_and_double_nothing(
    place: Path, stack: Stack, tmp_path: Path
) -> None:
    chance = random.Random(18)
    script = tmp_path / "grader.py"
    script.write_text(SCRIPT)
    headers = stack.headers(120)

    async def all_is_settled() -> bool:
        if len(stack.lms.accepted) < len(headers):
            return False
        return not sum([await ready(stack.amqp_url, queue) for queue in QUEUES])

    async def keep_killing(number: int, *enough: int) -> None:
        """Kill a grader a moment after so many results are through, and start another; the last one lives on."""
        for life, accepted in enumerate((*enough, len(headers))):
            log = tmp_path / f"grader-{number}.{life}.log"
            async with amqp_grader(script, stack.amqp_url, log, str(python_in(place))) as grader:
                await stack.lms.wait_accepted(accepted, within=PATIENCE_SECONDS)
                if accepted < len(headers):
                    await asyncio.sleep(chance.uniform(0, 0.1))
                else:
                    await eventually(all_is_settled)
                await grader.kill()
                assert "Traceback" not in grader.log

    async with stack.relay(), fleet(stack.gateway.url) as clients, asyncio.TaskGroup() as tasks:
        tasks.create_task(clients.submit_all(headers))
        tasks.create_task(keep_killing(1, 20, 60))
        tasks.create_task(keep_killing(2, 40, 80))
    accepted = [(callback.xqueue_header.decode(), json.loads(callback.xqueue_body)) for callback in stack.lms.accepted]
    assert Counter(header for header, _ in accepted) == Counter(headers)
    assert all(reply["msg"] == f"<pre>{html.escape(header)}</pre>" for header, reply in accepted)
