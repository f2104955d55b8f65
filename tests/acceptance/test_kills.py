"""Processes are killed at the worst moments; what was answered 0 ends in exactly one settled result."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.acceptance.conftest import Stack, running_stack
from tests.support.broker import VHost
from tests.support.fleet import Fleet, fleet, reply_to
from tests.support.gateway import Client
from tests.support.lms import FakeLMS

LEASES = 50
# Results that the broker lets the relay have at a time.
AT_HAND = 64


def delivered(lms: FakeLMS) -> Counter[str]:
    """Count the callbacks that the LMS answered with 200, by the submission's header."""
    return Counter(callback.xqueue_header.decode() for callback in lms.accepted)


async def lease_some(clients: Fleet, count: int) -> list[dict[str, str]]:
    leased = [await clients.take(wait=30) for _ in range(count)]
    assert all(leased)
    return [submission for submission in leased if submission]


async def test_a_gateway_killed_with_fifty_leases_out_loses_nothing(stack: Stack) -> None:
    headers = stack.headers(120)
    async with stack.relay(), fleet(stack.gateway.url) as clients:
        accepted = await clients.submit_all(headers)
        assert len(accepted) == len(headers)
        leased = await lease_some(clients, LEASES)
        await asyncio.to_thread(stack.gateway.kill)
        await asyncio.to_thread(stack.gateway.start)
        # The graders of before hand in what they have; the new ones grade everything that is still in the queue.
        await asyncio.gather(
            clients.grade_until(lambda: len(delivered(stack.lms)) == len(accepted), graders=8),
            *(clients.put(submission, reply_to(submission["xqueue_body"])) for submission in leased),
        )
        with Client(stack.gateway.url) as client:
            assert await asyncio.to_thread(client.get, wait=1) is None
    assert delivered(stack.lms) == Counter(accepted)


@pytest.mark.timeout(600)
async def test_a_gateway_killed_again_and_again_while_everybody_works_loses_nothing(
    vhost: VHost,
    tmp_path: Path,
) -> None:
    # A poll whose gateway dies before it has answered loses its lease to nobody: that work waits until it runs out.
    async with (
        running_stack(vhost.amqp_url, tmp_path, XQUEUE_SUBMISSION_PROCESSING_DELAY="0.25") as stack,
        stack.relay(),
        fleet(stack.gateway.url) as clients,
    ):
        headers = stack.headers(300)
        graders = asyncio.create_task(
            clients.grade_until(lambda: submitting.done() and set(submitting.result()) <= set(delivered(stack.lms))),
        )
        submitting = asyncio.create_task(clients.submit_all(headers, at_once=8))
        for enough in (30, 75, 150):
            # Killed when that many results are through: in the midst of submits, polls and results.
            await stack.lms.wait_accepted(enough, within=120)
            await asyncio.to_thread(stack.gateway.kill)
            await asyncio.to_thread(stack.gateway.start)
        accepted = await submitting
        await asyncio.wait_for(graders, 120)
    counts = delivered(stack.lms)
    # A submit whose answer got lost may have been accepted all the same; none that was answered 0 is missing.
    assert set(accepted) <= set(counts)
    assert set(counts.values()) == {1}


async def test_a_relay_killed_with_hundreds_of_results_waiting_delivers_all_of_them(stack: Stack) -> None:
    headers = stack.headers(250)
    async with fleet(stack.gateway.url) as clients:
        await clients.submit_all(headers)
        await clients.grade_until(lambda: clients.taken.total() == len(headers))
        async with stack.relay(callback_concurrency=AT_HAND) as relay:
            await stack.lms.wait_accepted(100)
            await relay.kill()
        async with stack.relay():
            await stack.lms.wait_accepted(len(headers))
            counts = await settled(stack, len(headers))
    assert set(counts) == set(headers)
    # The broker had no more of them out: under way, or acked by an ack that it dropped with the connection, unread.
    assert counts.total() - len(counts) <= AT_HAND


async def settled(stack: Stack, count: int) -> Counter[str]:
    """Wait until that many different callbacks are in."""
    async with asyncio.timeout(120):
        while len(delivered(stack.lms)) < count:
            await asyncio.sleep(0.05)
    return delivered(stack.lms)
