"""All processes of XQueue, real, with a fake LMS at one end and fake graders at the other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import topology
from tests.support.broker import VHost
from tests.support.gateway import RETRY_DELAYS, SECRET_KEY, Gateway
from tests.support.lms import FakeLMS, running_lms
from tests.support.relay import relay_process, settings_for
from tests.support.service_process import ServiceProcess


@dataclass
class Stack:
    """A gateway and the LMS; the relay runs while a test wants it to."""

    amqp_url: str
    folder: Path
    gateway: Gateway
    lms: FakeLMS
    retry_delays: tuple[float, ...] = RETRY_DELAYS

    @asynccontextmanager
    async def relay(self, *, code: Path | None = None, **others: float) -> AsyncIterator[ServiceProcess]:
        """Run a relay for as long as the block runs; `code` is another version's, `others` are keys of Settings."""
        values = {"secret_key": SECRET_KEY, "retry_delays": self.retry_delays, "requests_timeout": 60.0} | others
        settings = settings_for(self.amqp_url, **values)
        async with relay_process(settings, self.folder / "relay.log", code=code) as process:
            yield process

    def headers(self, count: int) -> list[str]:
        """Make the LMS's headers of `count` submissions of different students: no two share a callback URL."""
        return [self.lms.header(f"key-{number}", path=f"/xqueue/{number}/score_update") for number in range(count)]


@asynccontextmanager
async def running_stack(
    amqp_url: str, folder: Path, *, retry_delays: tuple[float, ...] = RETRY_DELAYS, **settings: str
) -> AsyncIterator[Stack]:
    """Declare the topology and run a gateway and an LMS for as long as the block runs."""
    gateway = Gateway(amqp_url, folder, settings=settings)
    await asyncio.to_thread(declare, amqp_url, topology(gateway.queues, retry_delays))
    async with running_lms() as lms:
        await asyncio.to_thread(gateway.start)
        try:
            yield Stack(amqp_url, folder, gateway, lms, retry_delays)
        finally:
            await asyncio.to_thread(gateway.kill)


@pytest.fixture
async def stack(vhost: VHost, tmp_path: Path) -> AsyncIterator[Stack]:
    """A running gateway and LMS on a virtual host of their own."""
    async with running_stack(vhost.amqp_url, tmp_path) as running:
        yield running
