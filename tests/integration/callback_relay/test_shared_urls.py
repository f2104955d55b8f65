"""Many results of one callback URL: they go one at a time, and hold up no other LMS."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from broker_setup.settings import Settings
from tests.support.broker import VHost
from tests.support.lms import Answer, FakeLMS, running_lms
from tests.support.relay import Results, results_at, running_relay, settings_for

PATH = "/the/one/url"


@pytest.fixture
def settings(vhost: VHost) -> Settings:
    return settings_for(vhost.amqp_url, callback_concurrency=16, callback_concurrency_per_origin=8, retry_delays=(1, 5))


@pytest.fixture
async def another() -> AsyncIterator[FakeLMS]:
    async with running_lms() as running:
        yield running


async def put_many(results: Results, lms: FakeLMS, count: int) -> None:
    await asyncio.gather(*(results.put(lms.header(str(number), path=PATH)) for number in range(count)))


async def test_a_url_that_fails_does_not_stop_the_callbacks_of_another_lms(
    settings: Settings, results: Results, lms: FakeLMS, another: FakeLMS
) -> None:
    lms.always(503)
    await put_many(results, lms, 60)
    async with running_relay(settings):
        await lms.wait_received(1)
        for number in range(3):
            await results.put(another.header(str(number)))
        await another.wait_accepted(3, within=10)
        lms.always(200)
        await lms.wait_accepted(60)
        await results.rest(settings)


async def test_a_long_line_of_a_quick_lms_does_not_hold_up_another(
    vhost: VHost, lms: FakeLMS, another: FakeLMS
) -> None:
    """1,500 of them, 20 ms each, took half a minute, and one result of another LMS waited for that."""
    lms.always(Answer(delay=0.02))
    settings = settings_for(vhost.amqp_url, retry_delays=(1, 5, 30))
    async with results_at(settings) as results:
        await put_many(results, lms, 700)
        async with running_relay(settings, until_idle=False):
            await lms.wait_received(5)
            await results.put(another.header())
            await another.wait_accepted(1, within=60)
            assert len(lms.received) < 450
