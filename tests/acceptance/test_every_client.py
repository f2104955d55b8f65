"""Whole rounds with every kind of client against what `make up` starts: submit, grade, callback."""

import asyncio
import inspect
import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from tests.clients import curl_grader, java_grader, lms, python_graders, watcher
from tests.clients.task import REPLY, Task
from tests.support.broker import VHost
from tests.support.lms import running_lms
from tests.support.make_up import READY_SECONDS, make_up

USERS = {"lms": "the LMS's password", "grader": "the grader's password"}
CLIENTS: dict[str, Callable[[Task], Awaitable[None] | None]] = {
    "xqueue-watcher": watcher.watch,
    "xqueue-watcher-that-follows-redirects": watcher.watch_following,
    "java-httpclient": java_grader.grade,
    "curl-http2": curl_grader.grade,
    "requests": python_graders.with_requests,
    "aiohttp": python_graders.with_aiohttp,
    "httpx": python_graders.with_httpx,
    "edx-submissions": python_graders.in_the_dialect_of_edx_submissions,
}
WHY_NOT = {"java-httpclient": java_grader.why_not, "curl-http2": curl_grader.why_not}


@pytest.fixture
def base(vhost: VHost, tmp_path: Path) -> Iterator[str]:
    """The calls of a stack with a queue for each client."""
    given = {
        "XQUEUE_AMQP_URL": vhost.amqp_url,
        "XQUEUE_USERS": json.dumps(USERS),
        "XQUEUE_XQUEUES": json.dumps(dict.fromkeys(CLIENTS)),
        "XQUEUE_CONSOLE_ACCOUNTS": "{}",  # so there is none: nobody looks at it here
    }
    with make_up(tmp_path / "data", **given) as command:
        yield f"{command.wait_ready()}/xqueue"


@pytest.mark.timeout(2 * READY_SECONDS)
async def test_every_client_grades_and_the_lms_gets_its_result(base: str, subtests: pytest.Subtests) -> None:
    async with running_lms() as listening:
        for name, client in CLIENTS.items():
            with subtests.test(client=name):
                if name in WHY_NOT and (why := WHY_NOT[name]()):
                    pytest.skip(why)
                before = len(listening.accepted)
                header = listening.header(f"key of {name}", queue=name)
                login = {"username": "lms", "password": USERS["lms"]}
                await asyncio.to_thread(lms.submit, base, login, header, "a student's work")
                grading = asyncio.to_thread(client, Task(base, name, "grader", USERS["grader"]))
                if inspect.iscoroutine(under_way := await grading):
                    await under_way
                *_, callback = await listening.wait_accepted(before + 1)
                assert callback.xqueue_header == header.encode()
                assert callback.xqueue_body == REPLY.encode()
