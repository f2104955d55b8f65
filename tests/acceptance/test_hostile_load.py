"""Thousands of hostile requests at once and in a row: no 500, no hang, no memory kept, and good work goes on."""

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.broker import VHost
from tests.support.gateway import PATIENCE_SECONDS, Client, Gateway, lms_header, running_gateway
from tests.support.hostile_requests import HUNG_UP, TOO_LATE, fire
from tests.support.memory import MIB, Memory
from tests.support.waiting import eventually

# REQUESTS=10000 for what `make attack` sends.
REQUESTS = int(os.environ.get("REQUESTS", "4000"))
AT_ONCE = 40
# What a gateway comes to remember at its first requests, and 1 KiB for each of them: less than most of them have.
KEPT = 9 * MIB + REQUESTS * 1024


@pytest.fixture
def gateway(vhost: VHost, tmp_path: Path) -> Iterator[Gateway]:
    # Half of a body is never sent and one waits for it: that should not take the test's time.
    settings = {"XQUEUE_STALL_TIMEOUT": "3", "XQUEUE_HEAD_TIMEOUT": "3"}
    with running_gateway(vhost.amqp_url, tmp_path, settings=settings) as running:
        yield running


def good_request_is_served(gateway: Gateway) -> None:
    with Client(gateway.url) as client:
        assert client.submit(lms_header(queue="other"), "good work")[0] == 0
        taken = client.get("other", wait=PATIENCE_SECONDS)
        assert taken
        assert taken["xqueue_body"] == "good work"
        assert client.put(taken["xqueue_header"], "reply") == (0, "")


async def test_probes_whose_senders_hang_up_cost_no_connection_to_the_broker(gateway: Gateway) -> None:
    numbers = iter(range(1, 4_001, 4))

    async def prober() -> None:
        for number in numbers:
            await fire(gateway.url, number)

    await asyncio.gather(*(prober() for _ in range(8)))
    await asyncio.to_thread(good_request_is_served, gateway)
    assert "the connection to the broker is gone" not in gateway.log, gateway.log[-5000:]
    assert "Traceback" not in gateway.log, gateway.log[-5000:]


@pytest.mark.timeout(240)
async def test_thousands_of_hostile_requests_leave_nothing_behind(gateway: Gateway) -> None:
    await asyncio.to_thread(good_request_is_served, gateway)
    memory = Memory(gateway)
    before = memory.now()
    statuses: Counter[int] = Counter()
    numbers = iter(range(REQUESTS))

    async def attacker() -> None:
        for number in numbers:
            statuses[await fire(gateway.url, number)] += 1

    with memory:
        await asyncio.gather(*(attacker() for _ in range(AT_ONCE)))
        await asyncio.to_thread(good_request_is_served, gateway)
    print(f"{statuses}, {before / MIB:.0f} MiB before, {memory.most / MIB:.0f} at most, {memory.now() / MIB:.0f} after")
    assert statuses.total() == REQUESTS
    assert statuses[TOO_LATE] == 0, statuses
    assert {status for status in statuses if status >= 500} == set(), statuses
    assert statuses[200] > REQUESTS / 4
    assert statuses[HUNG_UP] == REQUESTS / 4
    # With it would have gone whatever graders hold.
    assert "the connection to the broker is gone" not in gateway.log, gateway.log[-5000:]
    assert "Traceback" not in gateway.log, gateway.log[-5000:]
    await eventually(lambda: memory.now() < before + KEPT)
