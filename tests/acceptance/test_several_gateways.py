"""Several gateways behave as one, and the death, the freezing or the return of any costs nobody their work.

FREEZE_SECONDS and SUBMISSIONS in the environment make these longer than they are on every run.
"""

import asyncio
import json
import os
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import pytest

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import topology
from tests.acceptance.conftest import Stack
from tests.support.broker import VHost
from tests.support.fleet import fleet, reply_to
from tests.support.gateway import PATIENCE_SECONDS, RETRY_DELAYS, Client, Gateway
from tests.support.hand_outs import leased_beside
from tests.support.lms import running_lms
from tests.support.waiting import eventually, quickest

SUBMISSIONS = int(os.environ.get("SUBMISSIONS", "240"))
# How long one stays frozen when the broker has given its deliveries to somebody else, which takes it some 30 s.
FREEZE_SECONDS = float(os.environ.get("FREEZE_SECONDS", "0"))
KILL_EVERY_SECONDS = 2.0
# What a poll loses whose gateway dies before it has answered, so not too long.
PROCESSING_DELAY_SECONDS = 12.0
# A delivery that nobody asks for goes back after one second, and an idle consumer ends after 5.
GIVEN_BACK_SECONDS = 4.0


@asynccontextmanager
async def several(
    amqp_url: str, folder: Path, count: int = 3, delay: float = PROCESSING_DELAY_SECONDS
) -> AsyncIterator[tuple[Stack, list[Gateway]]]:
    settings = {"XQUEUE_SUBMISSION_PROCESSING_DELAY": str(delay / 60)}
    gateways = [Gateway(amqp_url, folder, settings=settings) for _ in range(count)]
    await asyncio.to_thread(declare, amqp_url, topology(gateways[0].queues, RETRY_DELAYS))
    async with running_lms() as lms:
        try:
            await asyncio.gather(*(asyncio.to_thread(gateway.start) for gateway in gateways))
            yield Stack(amqp_url, folder, gateways[0], lms), gateways
        finally:
            for gateway in gateways:
                gateway.kill()


def keys(stack: Stack) -> Counter[str]:
    """Count the callbacks by the LMS's key."""
    return Counter(callback.lms_key for callback in stack.lms.accepted)


@pytest.mark.timeout(60 + SUBMISSIONS)
async def test_three_gateways_killed_at_random_grade_every_submission_once(vhost: VHost, tmp_path: Path) -> None:
    async with several(vhost.amqp_url, tmp_path) as (stack, gateways), stack.relay():
        async with fleet(*(gateway.url for gateway in gateways)) as clients:
            headers = stack.headers(SUBMISSIONS)
            accepted = await clients.submit_all(headers)
            assert len(accepted) == SUBMISSIONS

            def done() -> bool:
                return len(keys(stack)) == SUBMISSIONS

            grading = asyncio.create_task(clients.grade_until(done, graders=24, thinking=0.4))
            chance, kills = random.Random(SUBMISSIONS), []
            while not done():
                victim = chance.choice(gateways)
                kills.append(f"{monotonic():.2f} {victim.url}")
                await asyncio.to_thread(victim.kill)
                await asyncio.to_thread(victim.start, until="/healthz")
                # The pace of the killing is what is tested here.
                await asyncio.sleep(KILL_EVERY_SECONDS)
            await asyncio.wait_for(grading, 120)
        assert set(keys(stack).values()) == {1}
        # A grader whose gateway is killed again and again may not get its result taken before its lease runs out.
        if beside := leased_beside(clients.hand_outs.values(), PROCESSING_DELAY_SECONDS):
            lines = [str(hand_out) for pair in beside for hand_out in pair]
            pytest.fail("\n".join(["leased to two graders:", *lines, "killed:", *kills]))
        assert set(clients.taken.values()) == {1}


async def test_leases_outlive_the_only_gateway(vhost: VHost, tmp_path: Path) -> None:
    async with several(vhost.amqp_url, tmp_path, count=1, delay=240) as (stack, [gateway]), stack.relay():
        async with fleet(gateway.url) as clients:
            await clients.submit_all(stack.headers(110))
            leased = [await clients.take(wait=PATIENCE_SECONDS) for _ in range(100)]
            await asyncio.to_thread(gateway.kill)
            await asyncio.to_thread(gateway.start)
            # New graders poll meanwhile, and get only what nobody was grading.
            assert all([await clients.take(wait=PATIENCE_SECONDS) for _ in range(10)])
            assert await clients.take(wait=1) is None
            assert set(clients.handed_out.values()) == {1}
            for submission in leased:
                assert submission
                assert await clients.put(submission, reply_to(submission["xqueue_body"]))
            await stack.lms.wait_accepted(100)
        assert set(keys(stack).values()) == {1}


@pytest.mark.timeout(60 + SUBMISSIONS)
async def test_a_result_put_at_once_at_the_other_gateway_is_never_refused(vhost: VHost, tmp_path: Path) -> None:
    async with (
        several(vhost.amqp_url, tmp_path, count=2, delay=600) as (stack, gateways),
        fleet(*(gateway.url for gateway in gateways)) as clients,
    ):
        assert len(await clients.submit_all(stack.headers(SUBMISSIONS))) == SUBMISSIONS

        async def grade(here: str, there: str) -> None:
            while sum(clients.handed_out.values()) < SUBMISSIONS:
                if submission := await clients.take(url=here, wait=0.5):
                    await clients.put(submission, reply_to(submission["xqueue_body"]), url=there)

        one, other = (gateway.url for gateway in gateways)
        await asyncio.gather(*(grade(*way) for way in [(one, other), (other, one)] * 4))
        assert clients.refused == {}
        assert sum(clients.taken.values()) == len(clients.taken) == SUBMISSIONS


async def test_a_late_result_is_taken_unless_somebody_else_took_the_work(vhost: VHost, tmp_path: Path) -> None:
    async with several(vhost.amqp_url, tmp_path, count=2, delay=1) as (stack, gateways), stack.relay():
        async with fleet(*(gateway.url for gateway in gateways)) as clients:
            here, there = (gateway.url for gateway in gateways)
            for key in ("slow but alone", "slow and overtaken"):
                await clients.submit_all([stack.lms.header(key, path=f"/{key.replace(' ', '-')}")])
            alone, overtaken = [await clients.take(url=here, wait=PATIENCE_SECONDS) for _ in range(2)]
            assert alone
            assert overtaken
            # Both run out; both come back to a grader at the other gateway, who takes only one of them.
            again = await clients.take(url=there, wait=PATIENCE_SECONDS)
            assert again
            if again["xqueue_body"] == alone["xqueue_body"]:
                alone, overtaken = overtaken, alone
            assert await clients.put(alone, "late", url=here)
            assert not await clients.put(overtaken, "too late", url=here)
            assert clients.refused == {"Incorrect key for submission": 1}
            assert await clients.put(again, "in time", url=there)
            await stack.lms.wait_accepted(2)
            assert await clients.take(url=there, wait=1.5) is None
        assert {callback.xqueue_body for callback in stack.lms.accepted} == {b"late", b"in time"}


async def test_what_an_idle_gateway_holds_reaches_a_grader_elsewhere(vhost: VHost, tmp_path: Path) -> None:
    async with (
        several(vhost.amqp_url, tmp_path, count=2) as (stack, gateways),
        fleet(*(gateway.url for gateway in gateways)) as clients,
    ):
        here, there = (gateway.url for gateway in gateways)

        async def seconds_until_it_comes() -> float:
            # The first gateway's consumer is on, though nobody polls it any more.
            assert await clients.take(url=here, wait=0.2) is None
            start = monotonic()
            await clients.submit_all([stack.lms.header(f"key at {start}")])
            taken = await clients.take(url=there, wait=PATIENCE_SECONDS)
            took = monotonic() - start
            assert taken
            assert await clients.put(taken, reply_to(taken["xqueue_body"]), url=there)
            return took

        assert await quickest(seconds_until_it_comes, below=GIVEN_BACK_SECONDS) < GIVEN_BACK_SECONDS


async def test_a_frozen_gateway_that_goes_on_settles_nothing_twice(vhost: VHost, tmp_path: Path) -> None:
    async with several(vhost.amqp_url, tmp_path, count=2, delay=5) as (stack, gateways), stack.relay():
        async with fleet(*(gateway.url for gateway in gateways)) as clients:
            frozen, alive = gateways
            headers = stack.headers(60)
            await clients.submit_all(headers)
            leased = [await clients.take(url=frozen.url, wait=PATIENCE_SECONDS) for _ in range(20)]
            frozen.freeze()
            # What was asked of it before it noticed: results and polls that wait in its sockets.
            late = [
                asyncio.create_task(clients.put(submission, reply_to(submission["xqueue_body"]), url=frozen.url))
                for submission in leased
                if submission
            ]
            grading = asyncio.create_task(
                clients.grade_until(lambda: len(keys(stack)) == len(headers), graders=4, urls=[alive.url]),
            )
            # What it holds is graded too: the broker has given it up.
            await eventually(lambda: len(keys(stack)) == len(headers), seconds=150)
            await asyncio.sleep(FREEZE_SECONDS)
            frozen.thaw()
            await grading
            await asyncio.gather(*late)
            with Client(frozen.url) as client:
                assert await asyncio.to_thread(client.get, wait=1) is None
        assert set(keys(stack).values()) == {1}
        assert {json.loads(callback.xqueue_body)["graded"] for callback in stack.lms.accepted} == set(headers)
