"""Gateways and relays of 0.1.0 and of this version on one broker, under load, rolled one by one, forward and back.

In the order of docs/howto/rolling.md: what a gateway of this version publishes, no relay of 0.1.0 takes. Each grader
stays with one gateway, as graders do: 0.1.0 refuses a result of a lease that another gateway has given just now, and
that is its own fault, mended here.
"""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import CHECKED_QUEUE, retry_queue, topology
from tests.acceptance.conftest import Stack
from tests.support.broker import VHost
from tests.support.earlier_version import VERSION_0_1_0, programs_of
from tests.support.fleet import AWAY, Fleet, fleet
from tests.support.gateway import RETRY_DELAYS, Gateway
from tests.support.ledger import follower
from tests.support.lms import FakeLMS, running_lms
from tests.support.queues import ready
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from tests.support.service_process import ServiceProcess

# Longer than a gateway's restart on a busy machine, or its graders' leases run out meanwhile, and rightly so.
PROCESSING_DELAY_SECONDS = 240.0
AT_LEAST_BETWEEN_ROLLS = 20
START_SECONDS = 120.0  # beside a load that takes all of a small machine


class Site:
    """Two gateways and two relays, the work that they do all the time, and what came of it."""

    def __init__(self, stack: Stack, gateways: list[Gateway], ending: AsyncExitStack) -> None:
        self._stack = stack
        self._gateways = gateways
        self._ending = ending
        self._relays: list[ServiceProcess] = []
        self._numbers = count()
        self.accepted: set[str] = set()
        self.is_rolled = False

    @property
    def lms(self) -> FakeLMS:
        return self._stack.lms

    def delivered(self) -> Counter[str]:
        return Counter(callback.lms_key for callback in self.lms.accepted)

    async def start(self, code: Path) -> None:
        await asyncio.to_thread(declare_as, code, self._gateways[0])
        await asyncio.gather(*(asyncio.to_thread(gateway.start) for gateway in self._gateways))
        self._relays = [await self._ending.enter_async_context(self._stack.relay(code=code)) for _ in range(2)]

    async def submit(self, clients: Fleet, url: str) -> None:
        while not self.is_rolled:
            number = next(self._numbers)
            header = self.lms.header(f"key-{number}", path=f"/xqueue/{number}/score_update")
            with contextlib.suppress(*AWAY):
                data = {"xqueue_header": header, "xqueue_body": header}
                if (await clients.call("POST", "submit/", url, data=data))[0] == 0:
                    self.accepted.add(f"key-{number}")
            await asyncio.sleep(0.05)  # the pace of the load

    async def roll_relays(self, code: Path | None) -> None:
        for number, relay in enumerate(self._relays):
            await self.some_are_delivered()
            await relay.terminate()
            self._relays[number] = await self._ending.enter_async_context(self._stack.relay(code=code))

    async def roll_gateways(self, code: Path | None) -> None:
        for gateway in self._gateways:
            await self.some_are_delivered()
            await asyncio.to_thread(gateway.stop)
            gateway.code = code
            await asyncio.to_thread(gateway.start, within=START_SECONDS)

    async def some_are_delivered(self) -> None:
        await self.lms.wait_accepted(len(self.lms.accepted) + AT_LEAST_BETWEEN_ROLLS, within=120)

    async def nothing_waits_for_this_version(self) -> bool:
        queues = (CHECKED_QUEUE, *map(retry_queue, RETRY_DELAYS))
        return not any([await ready(self._stack.amqp_url, queue) for queue in queues])


def declare_as(code: Path, gateway: Gateway) -> None:
    """Run the `xqueue-broker declare` of another version."""
    settings = {
        "XQUEUE_AMQP_URL": gateway.amqp_url,
        "XQUEUE_XQUEUES": json.dumps(gateway.queues),
        "XQUEUE_RETRY_DELAYS": json.dumps(RETRY_DELAYS),
    }
    subprocess.run([sys.executable, "-m", "broker_setup", "declare"], env=os.environ | settings, cwd=code, check=True)


@pytest.mark.timeout(900)
async def test_rolled_forward_and_back_under_load_nothing_is_lost_and_nothing_leased_twice(
    vhost: VHost, tmp_path: Path
) -> None:
    old = await asyncio.to_thread(programs_of, VERSION_0_1_0, tmp_path / "0.1.0")
    settings = {"XQUEUE_SUBMISSION_PROCESSING_DELAY": str(PROCESSING_DELAY_SECONDS / 60)}
    gateways = [Gateway(vhost.amqp_url, tmp_path, settings=settings, code=old) for _ in range(2)]
    urls = [gateway.url for gateway in gateways]
    async with running_lms() as lms, AsyncExitStack() as ending, fleet(*urls) as clients:
        site = Site(Stack(vhost.amqp_url, tmp_path, gateways[0], lms), gateways, ending)
        try:
            await site.start(old)
            submitting = [asyncio.create_task(site.submit(clients, url)) for url in urls]
            grading = asyncio.create_task(
                clients.grade_until(
                    lambda: site.is_rolled and site.accepted <= set(site.delivered()),
                    graders=8,
                    thinking=0.2,
                    urls=urls,
                )
            )
            await asyncio.to_thread(declare, vhost.amqp_url, topology(gateways[0].queues, RETRY_DELAYS))
            await site.roll_relays(None)
            await site.roll_gateways(None)
            await site.roll_gateways(old)
            await eventually(site.nothing_waits_for_this_version, 60)
            await site.roll_relays(old)
            await site.some_are_delivered()
            site.is_rolled = True
            await asyncio.gather(*submitting)
            await asyncio.wait_for(grading, 300)
            # None lost, none graded twice, none handed out twice to whoever got an answer.
            assert site.accepted <= set(site.delivered())
            assert set(site.delivered().values()) == {1}
            assert set(clients.handed_out.values()) == {1}
            assert set(clients.taken.values()) == {1}
            assert not clients.refused
            async with follower(vhost.amqp_url) as ledger:
                await ledger.catch_up()
                writers = {frame.writer for frame in ledger.frames}
            for gateway in gateways:
                assert f"xqueue-gateway {gateway.port}" in writers, "0.1.0 has a shorter name"
                assert any(re.fullmatch(rf"xqueue-gateway \S+:{gateway.port} \d+", name) for name in writers)
        finally:
            for gateway in gateways:
                gateway.kill()
