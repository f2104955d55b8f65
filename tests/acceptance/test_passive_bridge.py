"""The bridge as it runs in production, with graders that want to do harm, kills, and stops."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from aio_pika.abc import AbstractIncomingMessage
from aiohttp import web

from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_QUEUE, SUBMISSIONS_PARKED, submissions_queue
from broker_setup.wire.notices import failure_notice
from tests.support.broker import VHost
from tests.support.hostile import hostile_lms
from tests.support.memory import MIB
from tests.support.passive import (
    REPLY,
    FakeGrader,
    LmsSide,
    bridge_process,
    lms_side,
    running_grader,
    settings_for,
)
from tests.support.service_process import ServiceProcess
from tests.support.waiting import eventually

NOTICE = failure_notice(Settings().failure_message)
OK = b"HTTP/1.1 200 OK\r\n"
MUCH = bytes(65536)
HUNDRED_MB = 100_000_000


@dataclass(frozen=True)
class Hostile:
    """What is sent at first, then without an end, and what the operator reads of it."""

    first: bytes
    then: bytes = b""
    pause: float = 0.0
    reason: str = ""


# A busy machine's others have answered by then.
GRADING_SECONDS = 5.0
LATE = f"no whole answer within {GRADING_SECONDS:.0f} s"
NO_HTTP = "the answer is no HTTP that can be read"
LARGE = "its reply has more than 1048576 bytes"
GRADERS = {
    "hangs": Hostile(b"", reason=LATE),
    "hangs in the midst of its reply": Hostile(OK + b"Content-Length: 100\r\n\r\n{", reason=LATE),
    "drips": Hostile(OK + b"Content-Length: 1000000\r\n\r\n", b"x", 0.02, LATE),
    "is broken": Hostile(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n", reason="answered 500"),
    "speaks no HTTP": Hostile(b"220 ready to take mail\r\n" * 9, reason=NO_HTTP),
    "says it has 100 MB": Hostile(OK + b"Content-Length: %d\r\n\r\n" % HUNDRED_MB, MUCH, reason=LARGE),
    "sends without an end": Hostile(OK + b"\r\n", MUCH, reason=LARGE),
    "sends chunks without an end": Hostile(
        OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + MUCH + b"\r\n", reason=LARGE
    ),
    "sends headers without an end": Hostile(OK, b"X: y\r\n" * 1000, reason=NO_HTTP),
}


@pytest.fixture
async def grader() -> AsyncIterator[FakeGrader]:
    async with running_grader() as running:
        yield running


async def close_early(request: web.Request) -> web.StreamResponse:
    """Promise a whole reply, and hang up after half of it."""
    response = web.StreamResponse(headers={"Content-Length": str(len(REPLY))})
    await response.prepare(request)
    await response.write(REPLY[: len(REPLY) // 2])
    assert request.transport
    request.transport.close()
    return response


async def send_100_mb(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(HUNDRED_MB // len(MUCH)):
        await response.write(MUCH)
    return response


async def test_whatever_graders_do_each_student_has_one_notice_and_the_bridge_lives_in_little_memory(
    vhost: VHost, tmp_path: Path, grader: FakeGrader
) -> None:
    async with AsyncExitStack() as stack, running_grader() as closing, running_grader() as flooding:
        closing.answer, flooding.answer = close_early, send_100_mb
        queues = {"good": grader.url, "closes early": closing.url, "sends 100 MB": flooding.url}
        for name, harm in GRADERS.items():
            queues[name] = (await stack.enter_async_context(hostile_lms(harm.first, harm.then, harm.pause))).url
        queues["is not there"] = "http://127.0.0.1:9/"
        reasons = {name: harm.reason for name, harm in GRADERS.items()} | {
            "closes early": "the answer broke off",
            "sends 100 MB": LARGE,
            "is not there": "no connection",
        }
        settings = settings_for(vhost.amqp_url, queues, grading_timeout=GRADING_SECONDS, grading_retry_delays=(0.05,))
        lms = await stack.enter_async_context(lms_side(settings))
        bridge = await stack.enter_async_context(bridge_process(settings, tmp_path / "log"))
        await lms.submit("good")
        assert (await lms.take()).body == REPLY
        before = bridge.memory()

        bad = {(await lms.submit(name)).uuid: name for name in reasons for _ in range(3)}
        most = 0

        async def all_parked() -> bool:
            nonlocal most
            most = max(most, bridge.memory())
            return await lms.waiting(SUBMISSIONS_PARKED) == len(bad)

        await eventually(all_parked, 60)
        assert most - before < 24 * MIB, f"{before / MIB:.0f} MiB, at most {most / MIB:.0f} MiB"
        # One that is well is served as if the others were not there.
        good = await lms.submit("good")
        results = {(each.correlation_id, each.body) for each in await _take(lms, len(bad) + 1)}
        assert results == {(uuid, NOTICE) for uuid in bad} | {(good.uuid, REPLY)}
        for parked in await lms.take_all(SUBMISSIONS_PARKED):
            name = bad[str(parked.correlation_id)]
            assert f"the grader was called 2 times: {reasons[name]}" in str(parked.headers["xqueue-parked-reason"])
        assert bridge.is_alive
        assert await bridge.terminate() == 0
        for name in queues:
            assert await lms.waiting(submissions_queue(name)) == 0
        assert await lms.waiting(CHECKED_QUEUE) == 0
        assert "Traceback" not in bridge.log


async def waiting_is(lms: LmsSide, queue: str, count: int) -> bool:
    return await lms.waiting(queue) == count


def consumes(bridge: ServiceProcess) -> bool:
    return "consuming" in bridge.log


async def _take(lms: LmsSide, count: int) -> list[AbstractIncomingMessage]:
    return [await lms.take() for _ in range(count)]


async def test_bridges_that_are_killed_at_any_moment_lose_nothing(
    vhost: VHost, tmp_path: Path, grader: FakeGrader
) -> None:
    chance = random.Random(5)

    async def think(_: web.Request) -> web.Response:
        await asyncio.sleep(chance.random() / 20)
        # One in ten fails for good.
        return web.Response(body=REPLY, status=500 if chance.random() < 0.4 else 200)

    grader.answer = think
    settings = settings_for(vhost.amqp_url, {"red": grader.url}, grading_retry_delays=(0.02,))
    async with lms_side(settings) as lms:
        sent = {(await lms.submit("red", str(number))).uuid for number in range(250)}
        async with bridge_process(settings, tmp_path / "steady") as steady:
            for number in range(4):
                async with bridge_process(settings, tmp_path / f"killed-{number}") as bridge:
                    await eventually(partial(consumes, bridge))
                    await asyncio.sleep(chance.random() / 5)
                    await bridge.kill()
            # What the dead held is back in the queue; the steady one empties it.
            answered: dict[str, set[bytes]] = {}

            async def all_answered() -> bool:
                for result in await lms.take_all():
                    answered.setdefault(str(result.correlation_id), set()).add(result.body)
                return set(answered) == sent

            await eventually(all_answered, 90)
            # Its last ack may be outstanding.
            assert await steady.terminate() == 0
        parked = {str(copy.correlation_id) for copy in await lms.take_all(SUBMISSIONS_PARKED)}
        for uuid, bodies in answered.items():
            assert bodies <= {REPLY, NOTICE}
            # Told is parked; nobody is told who has a result, but for a crash in the midst of that.
            assert (NOTICE in bodies) == (uuid in parked) or REPLY in bodies
        assert await lms.waiting(submissions_queue("red")) == 0


async def test_sigterm_finishes_what_is_under_way_and_gives_back_what_waits_for_another_try(
    vhost: VHost, tmp_path: Path, grader: FakeGrader
) -> None:
    going_on = asyncio.Event()

    async def slow_or_broken(request: web.Request) -> web.Response:
        if (await request.json())["xqueue_body"] == "slow":
            await going_on.wait()
            return web.Response(body=REPLY)
        return web.Response(status=500)

    grader.answer = slow_or_broken
    settings = settings_for(
        vhost.amqp_url, {"red": grader.url}, grading_timeout=30.0, grading_retry_delays=(60.0,), grading_concurrency=2
    )
    async with lms_side(settings) as lms, bridge_process(settings, tmp_path / "log") as bridge:
        for body in ("slow", "broken", "waiting"):
            await lms.submit("red", body)
        await eventually(lambda: len(grader.asked) == 2 and "try 1" in bridge.log)
        stopped = asyncio.create_task(bridge.terminate())
        await eventually(lambda: "stopping: 2 under way" in bridge.log)
        await eventually(partial(waiting_is, lms, submissions_queue("red"), 2))
        going_on.set()
        assert await stopped == 0
        [result] = await lms.take_all()
        assert result.body == REPLY
        assert await lms.waiting(submissions_queue("red")) == 2
        assert await lms.waiting(SUBMISSIONS_PARKED) == 0
        assert len(grader.asked) == 2


async def test_a_bridge_without_anybody_to_call_says_so_and_ends(vhost: VHost, tmp_path: Path) -> None:
    settings = settings_for(vhost.amqp_url, {"pulled": None, "spoken": "amqp"})
    async with bridge_process(settings, tmp_path / "log") as bridge:
        assert await bridge.ended() == 1
    assert bridge.log == "xqueue-passive: XQUEUES has no queue with the URL of a grader, so there is nobody to call\n"
