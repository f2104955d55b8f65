"""A submission's whole way to a grader that is called and back: gateway, bridge, relay and a fake LMS."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from aiohttp import web

from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_QUEUE, SUBMISSIONS_PARKED, submissions_queue
from broker_setup.wire.notices import failure_notice
from tests.support.broker import VHost
from tests.support.gateway import RETRY_DELAYS, SECRET_KEY, Client, Gateway
from tests.support.lms import running_lms
from tests.support.passive import REPLY, LmsSide, bridge_process, lms_side, running_grader, settings_for
from tests.support.relay import relay_process
from tests.support.waiting import eventually

NOTICE = failure_notice(Settings().failure_message)
BAD = 6  # of 60 submissions


async def test_each_student_hears_once_whatever_is_killed(vhost: VHost, tmp_path: Path) -> None:
    async def think(request: web.Request) -> web.Response:
        await asyncio.sleep(0.02)
        bad = (await request.json())["xqueue_body"].startswith("bad")
        return web.Response(body=b"no reply" if bad else REPLY)

    async with AsyncExitStack() as stack:
        grader = await stack.enter_async_context(running_grader())
        grader.answer = think
        gateway = Gateway(vhost.amqp_url, tmp_path, {"openedx": None, "red": grader.url})
        settings = settings_for(
            vhost.amqp_url,
            gateway.queues,
            secret_key=SECRET_KEY,
            retry_delays=RETRY_DELAYS,
            grading_retry_delays=(0.05,),
        )
        broker = await stack.enter_async_context(lms_side(settings))
        lms = await stack.enter_async_context(running_lms())
        await asyncio.to_thread(gateway.start)
        try:
            async with relay_process(settings, tmp_path / "relay"):
                with Client(gateway.url) as client:
                    for number in range(60):
                        body = f"{'bad' if number % 10 == 0 else 'good'} {number}"
                        header = lms.header(f"key-{number}", path=f"/{number}/score_update", queue="red")
                        assert (await asyncio.to_thread(client.submit, header, body))[0] == 0
                async with bridge_process(settings, tmp_path / "killed") as bridge:
                    await lms.wait_accepted(15)
                    await bridge.kill()
                async with bridge_process(settings, tmp_path / "steady") as steady:
                    await lms.wait_accepted(60, within=90)
                    await eventually(partial(all_parked, broker))
                    # Its last ack may be outstanding.
                    assert await steady.terminate() == 0
                await eventually(partial(is_empty, broker))
        finally:
            await asyncio.to_thread(gateway.stop)
    told = {callback.lms_key: callback.xqueue_body for callback in lms.accepted}
    assert told == {f"key-{number}": NOTICE if number % 10 == 0 else REPLY for number in range(60)}
    assert len(lms.accepted) == 60


async def all_parked(broker: LmsSide) -> bool:
    # A bridge that was killed between the copy and its ack leaves one twice.
    return await broker.waiting(SUBMISSIONS_PARKED) >= BAD


async def is_empty(broker: LmsSide) -> bool:
    return not await broker.waiting(CHECKED_QUEUE) and not await broker.waiting(submissions_queue("red"))
