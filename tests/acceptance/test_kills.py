"""Processes are killed at the worst moments; what was answered 0 ends in exactly one settled result."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from broker_setup.topology import RESULTS_PARKED, SUBMISSIONS_PARKED, submissions_queue
from deploy.local.node import PrivateNode
from tests.acceptance.conftest import Stack, running_stack
from tests.support.broker import VHost
from tests.support.fleet import Fleet, fleet, reply_to
from tests.support.gateway import Client
from tests.support.lms import FakeLMS
from tests.support.queues import ready
from tests.support.waiting import eventually

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
        running_stack(vhost.amqp_url, tmp_path, XQUEUE_SUBMISSION_PROCESSING_DELAY="1") as stack,
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


def queues_are_on_disk(folder: Path) -> bool:
    """Whether a node could be killed: one that has only just declared its first queues finds no leader for them again.

    RabbitMQ 3.10 writes the names of its Raft members half a second late, of streams' coordinator as of queues.
    """
    data = folder / "node/data/xqueue@localhost"
    names = {kind: data / kind / "xqueue@localhost/names.dets" for kind in ("quorum", "coordination")}
    return (
        all(path.exists() for path in names.values())
        and b"xqueue.submissions.openedx" in names["quorum"].read_bytes()
        and b"rabbit_stream_coordinator" in names["coordination"].read_bytes()
    )


async def settled(stack: Stack, count: int) -> Counter[str]:
    """Wait until that many different callbacks are in."""
    async with asyncio.timeout(120):
        while len(delivered(stack.lms)) < count:
            await asyncio.sleep(0.05)
    return delivered(stack.lms)


@pytest.mark.timeout(600)
async def test_a_broker_killed_with_leases_out_and_results_waiting_loses_nothing(
    private_node: PrivateNode,
    tmp_path: Path,
) -> None:
    async with running_stack(private_node.amqp_url, tmp_path) as stack, fleet(stack.gateway.url) as clients:
        headers = stack.headers(150)
        accepted = await clients.submit_all(headers)
        assert len(accepted) == len(headers)
        graded = await lease_some(clients, 50)
        for submission in graded:
            assert await clients.put(submission, reply_to(submission["xqueue_body"]))
        leased = await lease_some(clients, LEASES)

        await eventually(lambda: queues_are_on_disk(tmp_path))
        await asyncio.to_thread(private_node.kill)
        # Handed in while the broker is away: answered 503 and tried again until it is back.
        handing_in = [
            asyncio.create_task(clients.put(submission, reply_to(submission["xqueue_body"]))) for submission in leased
        ]
        await asyncio.to_thread(private_node.start)

        async with stack.relay():
            await asyncio.gather(
                *handing_in,
                clients.grade_until(lambda: len(delivered(stack.lms)) == len(accepted), graders=8),
            )
            assert delivered(stack.lms) == Counter(accepted)
            # The leases outlived the broker: nobody else got that work.
            assert set(clients.handed_out.values()) == {1}
            assert all(handed_in.result() for handed_in in handing_in)
            for queue in (submissions_queue("openedx"), SUBMISSIONS_PARKED, RESULTS_PARKED):
                assert await ready(stack.amqp_url, queue) == 0
