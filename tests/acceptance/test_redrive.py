"""What was parked goes on its way again: each callback once, however the redrive ends, and each submission graded."""

import asyncio
import signal
import sys
from bisect import bisect_left
from collections import Counter
from functools import partial
from pathlib import Path

import pytest

from broker_setup.amqp.messages import Message
from broker_setup.topology import CHECKED_QUEUE, RESULTS_PARKED, SUBMISSIONS_PARKED, submissions_queue
from broker_setup.wire.parked import parked_copy
from broker_setup.wire.properties import MAX_RETURN_BYTES
from broker_setup.wire.results import Result, Tries, encode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.submissions import Submission, encode_submission
from tests.acceptance.conftest import Stack, running_stack
from tests.support.broker import VHost
from tests.support.fleet import fleet, reply_to
from tests.support.gateway import SECRET_KEY, Client
from tests.support.ledger import write_frames
from tests.support.ledger_events import parked
from tests.support.lms import FakeLMS, running_lms
from tests.support.operator import begun, environment
from tests.support.parking import put, reject_one
from tests.support.queues import ready
from tests.support.relay import REPLY, SECRET, relay_process, results_at, settings_for
from tests.support.service_process import ServiceProcess
from tests.support.waiting import PATIENCE_SECONDS, eventually

REDRIVE = ("parked", "redrive", "--all", "--yes", "--although-told")
PARKED_RESULTS = 1_500
# An LMS that has not answered by then gets the same callback again, and the test's own is as busy as its machine.
LMS_SECONDS = 60.0
# The command, which dies when all copies of a portion are confirmed and none of it is acked.
KILLED_BEFORE_ITS_FIRST_ACK = """
import os, runpy, signal
from broker_setup.operator.intake import Intake
Intake.ack = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
runpy.run_module("broker_setup", run_name="__main__", alter_sys=True)
"""


async def redrive(amqp_url: str, secret: str, *options: str) -> ServiceProcess:
    return await begun(*REDRIVE, *options, **settings_of(amqp_url, secret))


def settings_of(amqp_url: str, secret: str) -> dict[str, str]:
    return {"AMQP_URL": amqp_url, "SECRET_KEY": secret, "XQUEUES": '{"openedx": null}'}


@pytest.mark.timeout(180)
async def test_a_redrive_of_results_killed_half_way_and_run_again_is_one_callback_for_each(
    vhost: VHost, tmp_path: Path
) -> None:
    settings = settings_for(vhost.amqp_url, xqueues={"openedx": None}, requests_timeout=LMS_SECONDS)
    async with running_lms() as lms, results_at(settings):
        await put(vhost.amqp_url, RESULTS_PARKED, parked_results(lms, PARKED_RESULTS))

        async with relay_process(settings, tmp_path / "relay.log"):
            # All of them would take it 25 s: when the LMS has the first of them, it is far from its end.
            first = await redrive(vhost.amqp_url, SECRET, "--rate", "60")
            await lms.wait_accepted(100, within=60)
            await first.kill()
            assert await first.ended() == -signal.SIGKILL
            left = await eventually(lambda: ready(vhost.amqp_url, RESULTS_PARKED))
            assert 0 < left < PARKED_RESULTS

            async def nothing_left_by_running_it_again() -> bool:
                if await ready(vhost.amqp_url, RESULTS_PARKED):
                    again = await redrive(vhost.amqp_url, SECRET, "--rate", "10000")
                    assert await again.ended() == 0
                    return False
                return len({each.lms_key for each in lms.accepted}) == PARKED_RESULTS

            # Once is enough, unless the broker is slow to take back what the killed one had at hand: that comes back
            # to the queue even after all has been delivered, for it may have been on its way already.
            await eventually(nothing_left_by_running_it_again, 90)
            await eventually(lambda: is_empty(vhost.amqp_url, CHECKED_QUEUE))
    # What was there twice, the relay posted once.
    assert_posted_once(lms, PARKED_RESULTS, tmp_path / "relay.log")


async def test_a_redrive_killed_between_its_copies_and_its_acks_makes_copies_that_the_relay_posts_once(
    vhost: VHost, tmp_path: Path
) -> None:
    settings = settings_for(vhost.amqp_url, xqueues={"openedx": None}, requests_timeout=LMS_SECONDS)
    log = tmp_path / "relay.log"
    async with running_lms() as lms, results_at(settings):
        await put(vhost.amqp_url, RESULTS_PARKED, parked_results(lms, 10))

        # Twins that stand in line together.
        for copies in (10, 20):
            killed = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", KILLED_BEFORE_ITS_FIRST_ACK, *REDRIVE),
                env=environment(**settings_of(vhost.amqp_url, SECRET)),
                stdout=asyncio.subprocess.DEVNULL,
            )
            assert await killed.wait() == -signal.SIGKILL
            await eventually(partial(holds, vhost.amqp_url, CHECKED_QUEUE, copies))
            await eventually(lambda: holds(vhost.amqp_url, RESULTS_PARKED, 10))
        async with relay_process(settings, log):
            await lms.wait_accepted(10)
            await eventually(lambda: log.read_text().count("repeat, delivered") == 10)
            # And those that come when the first is delivered.
            assert await (await redrive(vhost.amqp_url, SECRET)).ended() == 0
            await eventually(lambda: log.read_text().count("repeat, delivered") == 20)
            await eventually(lambda: is_empty(vhost.amqp_url, CHECKED_QUEUE, RESULTS_PARKED))
    assert_posted_once(lms, 10, log)


def parked_results(lms: FakeLMS, number: int) -> list[Message]:
    """Make results that the LMS refused, each of a URL of its own."""
    sealer, messages = Sealer([SECRET]), []
    for each in range(number):
        uuid, header = f"{each:032x}", lms.header(f"key-{each}", path=f"/xqueue/{each}/score_update")
        result = Result(uuid, REPLY, sealer.seal(ReturnAddress(uuid, header)), Tries(made=7, waits=7))
        messages.append(parked_copy(encode_result(result), "refused: 404", origin=lms.origin))
    return messages


def assert_posted_once(lms: FakeLMS, number: int, log: Path) -> None:
    """See that each of so many was posted; where one was twice, say when, and what the relay says of it."""
    counts = Counter(each.lms_key for each in lms.received)
    assert set(counts) == {f"key-{each}" for each in range(number)}
    twice = [int(key.removeprefix("key-")) for key, times in counts.items() if times > 1]
    lines = log.read_text().splitlines()
    for each in twice[:3]:
        print(each, [callback.at for callback in lms.received if callback.lms_key == f"key-{each}"])
        print(*(line for line in lines if f"{each:032x}" in line), sep="\n")
    assert not twice


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
        assert await command.ended() == 0
    async with stack.relay(), fleet(stack.gateway.url) as clients:
        await clients.grade_until(lambda: bool(stack.lms.accepted))
        await eventually(lambda: is_empty(stack.amqp_url, submissions_queue("openedx"), SUBMISSIONS_PARKED))
        with Client(stack.gateway.url) as client:
            assert await asyncio.to_thread(client.get, wait=1) is None
    assert [each.lms_key for each in stack.lms.received] == ["key"]
    assert set(clients.handed_out.values()) == {1}


async def test_the_largest_header_that_a_submit_takes_comes_back_whole_though_work_and_result_are_parked(
    vhost: VHost, tmp_path: Path
) -> None:
    async with running_stack(vhost.amqp_url, tmp_path, XQUEUE_MAX_ATTEMPTS="1") as stack:
        header, too_large = largest_header(stack)
        stack.lms.always(404)
        # The one URL of an LMS that refuses all is parked for its age: nothing else shows that the fault is its own.
        async with stack.relay(callback_max_age=2.0), fleet(stack.gateway.url) as clients:
            with Client(stack.gateway.url) as client:
                assert await asyncio.to_thread(client.submit, header, "work") == (0, "1")
                code, content = await asyncio.to_thread(client.submit, too_large, "work")
                assert (code, "too large" in content) == (1, True)
            await asyncio.to_thread(reject_one, stack.amqp_url, "openedx")
            # The student's notice is refused, too.
            await eventually(lambda: holds(stack.amqp_url, SUBMISSIONS_PARKED, 1))
            await eventually(lambda: holds(stack.amqp_url, RESULTS_PARKED, 1))

            assert await (await redrive(stack.amqp_url, SECRET_KEY, "--submissions")).ended() == 0
            async with asyncio.timeout(PATIENCE_SECONDS):
                await clients.grade_until(lambda: bool(clients.taken), graders=1)
            await eventually(lambda: holds(stack.amqp_url, RESULTS_PARKED, 2))

            stack.lms.always(200)
            assert await (await redrive(stack.amqp_url, SECRET_KEY, "--results")).ended() == 0
            accepted = await stack.lms.wait_accepted(2)
    assert {each.xqueue_header for each in accepted} == {header.encode()}
    assert reply_to("work").encode() in {each.xqueue_body for each in accepted}


def largest_header(stack: Stack) -> tuple[str, str]:
    """Make the largest LMS header that fits a message, and one that is too large."""
    sealer = Sealer([SECRET_KEY])

    def header(key: int) -> str:
        return stack.lms.header("k" * key, path="/xqueue/1/score_update")

    def is_too_large(key: int) -> bool:
        return len(sealer.seal(ReturnAddress("0" * 32, header(key)))) > MAX_RETURN_BYTES

    first_too_large = bisect_left(range(MAX_RETURN_BYTES), 1, key=is_too_large)
    return header(first_too_large - 1), header(first_too_large)


async def holds(amqp_url: str, queue: str, messages: int) -> bool:
    return await ready(amqp_url, queue) == messages


async def is_empty(amqp_url: str, *queues: str) -> bool:
    return sum([await ready(amqp_url, queue) for queue in queues]) == 0
