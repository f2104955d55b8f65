"""What was parked goes on its way again: each callback once, however the redrive ends, and each submission graded."""

import asyncio
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from broker_setup.topology import RESULTS_PARKED, RESULTS_QUEUE, SUBMISSIONS_PARKED, submissions_queue
from broker_setup.wire.messages import Result, Submission, Tries, encode_result, encode_submission
from broker_setup.wire.parked import parked_copy
from broker_setup.wire.return_address import ReturnAddress, Sealer
from tests.acceptance.conftest import Stack
from tests.support.broker import VHost
from tests.support.fleet import fleet
from tests.support.gateway import SECRET_KEY, Client
from tests.support.ledger import write_frames
from tests.support.ledger_events import parked
from tests.support.lms import running_lms
from tests.support.operator import environment
from tests.support.parking import put
from tests.support.queues import ready
from tests.support.relay import REPLY, SECRET, relay_process, results_at, settings_for
from tests.support.waiting import eventually

PARKED_RESULTS = 5_000


async def redrive(amqp_url: str, secret: str, *options: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "broker_setup", "parked", "redrive", "--all", "--yes", *options),
        env=environment(AMQP_URL=amqp_url, SECRET_KEY=secret, XQUEUES='{"openedx": null}'),
        stdout=asyncio.subprocess.PIPE,
    )


@pytest.mark.timeout(180)
async def test_a_redrive_of_five_thousand_results_killed_half_way_and_run_again_is_five_thousand_callbacks(
    vhost: VHost, tmp_path: Path
) -> None:
    settings = settings_for(vhost.amqp_url, xqueues={"openedx": None})
    sealer = Sealer([SECRET])
    async with running_lms() as lms, results_at(settings):
        messages = []
        for number in range(PARKED_RESULTS):
            header = lms.header(f"key-{number}", path=f"/xqueue/{number}/score_update")
            uuid = f"{number:032x}"
            result = Result(uuid, REPLY, sealer.seal(ReturnAddress(uuid, header)), Tries(made=7, waits=7))
            messages.append(parked_copy(encode_result(result), "refused: 404", origin=lms.origin))
        await put(vhost.amqp_url, RESULTS_PARKED, messages)

        async with relay_process(settings, tmp_path / "relay.log"):
            # All of them would take it 25 s: when the LMS has the first of them, it is far from its end.
            first = await redrive(vhost.amqp_url, SECRET, "--rate", "200")
            await lms.wait_accepted(300, within=60)
            first.kill()
            assert await first.wait() == -signal.SIGKILL
            left = await eventually(lambda: ready(vhost.amqp_url, RESULTS_PARKED))
            assert 0 < left < PARKED_RESULTS

            async def nothing_left_by_running_it_again() -> bool:
                if await ready(vhost.amqp_url, RESULTS_PARKED):
                    again = await redrive(vhost.amqp_url, SECRET, "--rate", "10000")
                    assert await again.wait() == 0
                    return False
                return len({each.lms_key for each in lms.accepted}) == PARKED_RESULTS

            # Once is enough, unless the broker is slow to take back what the killed one had at hand: that comes back
            # to the queue even after all has been delivered, for it may have been on its way already.
            await eventually(nothing_left_by_running_it_again, 90)
            await eventually(lambda: is_empty(vhost.amqp_url, RESULTS_QUEUE), 30)
    counts = Counter(each.lms_key for each in lms.accepted)
    assert set(counts) == {f"key-{number}" for number in range(PARKED_RESULTS)}
    assert set(counts.values()) == {1}  # what was there twice, the relay posted once


async def test_a_parked_submission_is_redriven_and_graded_once_though_the_redrive_is_done_twice(stack: Stack) -> None:
    header = stack.lms.header("key", path="/xqueue/1/score_update")
    uuid = f"{1:032x}"
    lost = Submission(uuid, "openedx", "work", Sealer([SECRET_KEY]).seal(ReturnAddress(uuid, header)), attempt=9)
    copy = parked_copy(encode_submission(lost), "too many failures", queue="openedx")
    await asyncio.to_thread(write_frames, stack.amqp_url, [[parked(1, 1.0)]])
    with Client(stack.gateway.url) as client:
        assert await asyncio.to_thread(client.get) is None  # so that the gateway follows the ledger
    # A second copy is what a kill leaves between the publish and the ack.
    for message in (copy, parked_copy(encode_submission(lost), "too many failures", queue="openedx")):
        await put(stack.amqp_url, SUBMISSIONS_PARKED, [message])
        command = await redrive(stack.amqp_url, SECRET_KEY)
        assert await command.wait() == 0
    async with stack.relay(), fleet(stack.gateway.url) as clients:
        await clients.grade_until(lambda: bool(stack.lms.accepted))
        await eventually(lambda: is_empty(stack.amqp_url, submissions_queue("openedx"), SUBMISSIONS_PARKED))
        with Client(stack.gateway.url) as client:
            assert await asyncio.to_thread(client.get, wait=1) is None
    assert [each.lms_key for each in stack.lms.received] == ["key"]
    assert set(clients.handed_out.values()) == {1}


async def is_empty(amqp_url: str, *queues: str) -> bool:
    return sum([await ready(amqp_url, queue) for queue in queues]) == 0
