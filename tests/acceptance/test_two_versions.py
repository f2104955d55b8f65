"""Gateways of 0.1.0 and of this version on one ledger, under load, rolled one by one, forward and back.

Each grader stays with one gateway, as graders do: 0.1.0 refuses a result of a lease that another gateway has given just
now, and that is its own fault, mended here.
"""

import asyncio
import contextlib
import re
from collections import Counter
from itertools import count
from pathlib import Path

import pytest

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import topology
from tests.acceptance.conftest import Stack
from tests.support.broker import VHost
from tests.support.earlier_version import VERSION_0_1_0, programs_of
from tests.support.fleet import AWAY, fleet
from tests.support.gateway import RETRY_DELAYS, Gateway
from tests.support.ledger import follower
from tests.support.lms import running_lms

# Longer than a gateway's restart on a busy machine, or its graders' leases run out meanwhile, and rightly so.
PROCESSING_DELAY_SECONDS = 240.0
AT_LEAST_BETWEEN_ROLLS = 20
START_SECONDS = 120.0  # beside a load that takes all of a small machine


@pytest.mark.timeout(900)
async def test_rolled_forward_and_back_under_load_nothing_is_lost_and_nothing_leased_twice(
    vhost: VHost, tmp_path: Path
) -> None:
    old = await asyncio.to_thread(programs_of, VERSION_0_1_0, tmp_path / "0.1.0")
    settings = {"XQUEUE_SUBMISSION_PROCESSING_DELAY": str(PROCESSING_DELAY_SECONDS / 60)}
    gateways = [Gateway(vhost.amqp_url, tmp_path, settings=settings, code=old) for _ in range(2)]
    await asyncio.to_thread(declare, vhost.amqp_url, topology(gateways[0].queues, RETRY_DELAYS))
    async with running_lms() as lms:
        stack = Stack(vhost.amqp_url, tmp_path, gateways[0], lms)
        try:
            await asyncio.gather(*(asyncio.to_thread(gateway.start) for gateway in gateways))
            async with stack.relay(), fleet(*(gateway.url for gateway in gateways)) as clients:
                numbers, accepted, rolled = count(), set[str](), False

                def delivered() -> Counter[str]:
                    return Counter(callback.lms_key for callback in lms.accepted)

                async def submit(url: str) -> None:
                    while not rolled:
                        number = next(numbers)
                        header = lms.header(f"key-{number}", path=f"/xqueue/{number}/score_update")
                        with contextlib.suppress(*AWAY):
                            data = {"xqueue_header": header, "xqueue_body": header}
                            if (await clients.call("POST", "submit/", url, data=data))[0] == 0:
                                accepted.add(f"key-{number}")
                        await asyncio.sleep(0.05)  # the pace of the load

                submitting = [asyncio.create_task(submit(gateway.url)) for gateway in gateways]
                grading = asyncio.create_task(
                    clients.grade_until(
                        lambda: rolled and accepted <= set(delivered()),
                        graders=8,
                        thinking=0.2,
                        urls=[gateway.url for gateway in gateways],
                    )
                )
                for gateway, code in zip([*gateways, *gateways], [None, None, old, old], strict=True):
                    await lms.wait_accepted(len(lms.accepted) + AT_LEAST_BETWEEN_ROLLS, within=120)
                    await asyncio.to_thread(gateway.stop)
                    gateway.code = code
                    await asyncio.to_thread(gateway.start, within=START_SECONDS)
                rolled = True
                await asyncio.gather(*submitting)
                await asyncio.wait_for(grading, 300)
                # None lost, none graded twice, none handed out twice to whoever got an answer.
                assert accepted <= set(delivered())
                assert set(delivered().values()) == {1}
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
