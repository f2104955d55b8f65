"""A virtual host with the topology, the grader's side of it, and a fake LMS."""

from collections.abc import AsyncIterator

import pytest

from broker_setup.settings import Settings
from tests.support.broker import VHost
from tests.support.lms import FakeLMS, running_lms
from tests.support.relay import Results, results_at, settings_for


@pytest.fixture
def settings(vhost: VHost) -> Settings:
    return settings_for(vhost.amqp_url)


@pytest.fixture
async def results(settings: Settings) -> AsyncIterator[Results]:
    async with results_at(settings) as side:
        yield side


@pytest.fixture
async def lms() -> AsyncIterator[FakeLMS]:
    async with running_lms() as running:
        yield running
