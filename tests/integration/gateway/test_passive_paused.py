"""The bridge and a paused queue: its grader is called no more, and the bridge is well."""

from collections.abc import Awaitable

import pytest
from aiohttp import web

from broker_setup.link import steady_consumer
from broker_setup.topology import CHECKED_QUEUE, submissions_queue
from tests.support.broker import VHost
from tests.support.passive import REPLY, lms_side, running_bridge, running_grader, settings_for
from tests.support.pausing import pause, resume
from tests.support.waiting import eventually

RED = submissions_queue("red")


async def test_a_paused_grader_is_not_called_until_its_queue_goes_on(
    vhost: VHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(steady_consumer, "LOOK_SECONDS", 0.2)
    async with running_grader() as red:
        settings = settings_for(vhost.amqp_url, {"red": red.url}, grading_retry_delays=(2.0,), grading_concurrency=1)
        red.says(web.Response(status=500))
        async with lms_side(settings) as lms, running_bridge(settings) as bridge:
            await lms.submit("red")
            await lms.submit("red")
            await eventually(lambda: len(red.asked) == 1)
            await pause(vhost.amqp_url, "red")
            # What failed and waits for its next try goes back, too.
            await eventually(lambda: _ready(lms.waiting(RED), 2))
            assert bridge._standing().is_ready
            assert [queue.is_paused for queue in bridge._reading().queues.values()] == [True]
            assert len(red.asked) == 1
            red.says(REPLY)
            await resume(vhost.amqp_url, "red")
            await eventually(lambda: _ready(lms.waiting(CHECKED_QUEUE), 2))
            assert [queue.is_paused for queue in bridge._reading().queues.values()] == [False]


async def _ready(count: Awaitable[int], number: int) -> bool:
    return await count == number
