"""A grader that floods where graders write: nobody waits for that who does not write there."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from uuid import uuid4

from broker_setup.link.broker_url import user_of
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_EXCHANGE, CHECKED_QUEUE, RESULTS_QUEUE
from broker_setup.wire.results import Result, encode_result
from broker_setup.wire.return_address import ReturnAddress
from callback_relay.floods import AT_ONCE
from tests.support.lms import FakeLMS
from tests.support.project import ROOT
from tests.support.relay import REPLY, Results, running_relay

GOOD_ONES = 6
THOUSANDS_BEFORE = 3


@contextlib.asynccontextmanager
async def flood(settings: Settings) -> AsyncIterator[None]:
    """Have a process of its own publish without an end; some thousands are there when the block begins."""
    url = settings.amqp_url.get_secret_value()
    program = (sys.executable, "-m", "tests.support.flood", url)
    process = await asyncio.create_subprocess_exec(*program, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    assert process.stdout is not None
    try:
        for _ in range(THOUSANDS_BEFORE):
            assert await process.stdout.readline()
        yield
    finally:
        process.kill()
        await process.wait()


async def test_a_flood_without_an_end_by_a_grader_delays_nobody_elses_results(
    settings: Settings, results: Results, lms: FakeLMS
) -> None:
    with_a_grader = settings.model_copy(update={"amqp_graders": {"mallory": ("openedx",)}})
    before = 0
    async with flood(settings), running_relay(with_a_grader, until_idle=False):
        for number in range(GOOD_ONES):
            if number % 2:
                lms.next_answers(503)  # so that it comes back from a rung
            uuid = uuid4().hex
            good = encode_result(Result(uuid, REPLY, results.sealer.seal(ReturnAddress(uuid, lms.header(str(number))))))
            good.user_id = user_of(settings.amqp_url.get_secret_value())
            # It comes in waves, between which a relay on an idle machine has read all of it.
            before = max(before, await results.waiting(RESULTS_QUEUE))
            await results.put_message(good, CHECKED_EXCHANGE, CHECKED_QUEUE)
            await lms.wait_accepted(number + 1, within=60)
        # So many pieces of it were before one that came after them.
        assert before > AT_ONCE
