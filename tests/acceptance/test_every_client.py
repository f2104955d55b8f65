"""Whole rounds with every kind of client: submit, grade, callback."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from broker_setup.operator.setup.declare import declare
from tests.clients import curl_grader, java_grader, lms, python_graders, watcher
from tests.clients.task import REPLY, Task
from tests.support.broker import VHost
from tests.support.gateway import RETRY_DELAYS, SECRET_KEY, USERS, Gateway
from tests.support.lms import running_lms
from tests.support.passive import settings_for
from tests.support.relay import relay_process

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
async def base(vhost: VHost, tmp_path: Path) -> AsyncIterator[str]:
    """The calls of a gateway with a queue for each client, and a relay behind it."""
    gateway = Gateway(vhost.amqp_url, tmp_path, queues=dict.fromkeys(CLIENTS))
    settings = settings_for(vhost.amqp_url, gateway.queues, secret_key=SECRET_KEY, retry_delays=RETRY_DELAYS)
    await asyncio.to_thread(declare, vhost.amqp_url, settings.topology)
    async with relay_process(settings, tmp_path / "relay.log"):
        await asyncio.to_thread(gateway.start)
        try:
            yield f"{gateway.url}/xqueue"
        finally:
            await asyncio.to_thread(gateway.stop)


@pytest.mark.timeout(180)
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
