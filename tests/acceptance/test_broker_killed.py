"""The broker is killed under everything that speaks to it, and comes back: what was accepted is there and goes on."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pika
import pytest

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import CHECKED_QUEUE, RESULTS_PARKED, SUBMISSIONS_PARKED, submissions_queue, topology
from deploy.local.node import PrivateNode
from deploy.local.ready import amqp_answers, http_answers
from tests.acceptance.conftest import running_stack
from tests.support.broker import VHost
from tests.support.broker_side import broker_side
from tests.support.fleet import fleet, reply_to
from tests.support.gateway import PATIENCE_SECONDS, RETRY_DELAYS, Client, Gateway, lms_header
from tests.support.grading import Gate, course_at, grading, sides_of
from tests.support.lms import Answer, running_lms
from tests.support.outage import Outage
from tests.support.pausing import pause, resume
from tests.support.queues import ready
from tests.support.relay import grader_side, results_at, running_relay, settings_for
from tests.support.unavailable import Caller, get, health, put, submit, works_again
from tests.support.waiting import eventually
from xqueue_grader import Options


@pytest.mark.timeout(600)
async def test_a_broker_that_is_killed_costs_nobody_more_than_time(private_node: PrivateNode, tmp_path: Path) -> None:
    outage = Outage(private_node, tmp_path, parties=5)
    async with asyncio.timeout(540), asyncio.TaskGroup() as parties:
        parties.create_task(the_node_comes_back_in_place_with_its_messages(outage))
        parties.create_task(a_gateway_says_so_at_once_and_all_works_again(outage, tmp_path))
        parties.create_task(leases_that_are_out_and_results_that_wait_are_not_lost(outage, tmp_path))
        parties.create_task(a_relay_delivers_all_and_nothing_twice(outage))
        parties.create_task(an_amqp_grader_grades_once_more(outage))


async def the_node_comes_back_in_place_with_its_messages(outage: Outage) -> None:
    node = outage.node
    urls = node.amqp_url, node.management_url
    with pika.BlockingConnection(pika.URLParameters(node.amqp_url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.queue_declare("kept", durable=True, arguments={"x-queue-type": "quorum"})
        channel.basic_publish("", "kept", b"still here", pika.BasicProperties(delivery_mode=2))
    await outage.is_near("%2F_kept")
    await outage.begins()
    assert not node.running
    assert not amqp_answers(node.amqp_url)
    await outage.ends()
    assert (node.amqp_url, node.management_url) == urls
    assert http_answers(f"{node.management_url}/api/overview")
    with pika.BlockingConnection(pika.URLParameters(node.amqp_url)) as connection:
        assert connection.channel().basic_get("kept", auto_ack=True)[2] == b"still here"


async def a_gateway_says_so_at_once_and_all_works_again(outage: Outage, folder: Path) -> None:
    with outage.vhost() as vhost:
        gateway = Gateway(vhost.amqp_url, folder)
        with Client(gateway.url) as client:
            taken = await asyncio.to_thread(submitted_and_one_taken, gateway, client)
            await outage.is_near(queue_of(vhost))
            try:
                await outage.begins()
                await asyncio.to_thread(everything_is_refused, gateway, client, taken)
                outage.measured.set()
                await outage.ends()
                await asyncio.to_thread(nothing_is_lost, vhost, gateway, client, taken)
                assert "Traceback" not in gateway.log, gateway.log
            finally:
                await asyncio.to_thread(gateway.kill)


def submitted_and_one_taken(gateway: Gateway, client: Client) -> dict[str, Any]:
    declare(gateway.amqp_url, topology(gateway.queues, RETRY_DELAYS))
    gateway.start()
    for _ in range(3):
        assert client.submit(lms_header(), "work")[0] == 0
    asyncio.run(pause(gateway.amqp_url, "other"))
    assert client.submit(lms_header(queue="other"), "work")[0] == 0
    return client.get_one()


def everything_is_refused(gateway: Gateway, client: Client, taken: dict[str, Any]) -> None:
    call = Caller(gateway)
    everything = [submit(), put(taken), get("get_queuelen/"), get("get_submission/")]
    call.refused(*everything)
    call.refused(*everything)
    assert client.call("GET", "status/") == (0, "OK")
    assert client.login() == (0, "Logged in")
    assert client.call("GET", "login/") == (1, "login_required")
    assert health(gateway, "healthz") == 200
    assert health(gateway, "readyz") == 503


def nothing_is_lost(vhost: VHost, gateway: Gateway, client: Client, taken: dict[str, Any]) -> None:
    works_again(gateway, client)
    assert client.get("other", wait=1) is None, "a pause outlives the broker's restart"
    asyncio.run(resume(gateway.amqp_url, "other"))
    assert client.get_one("other")
    # The lease outlived the outage, and its submission is not handed to anybody else.
    assert client.put(taken["xqueue_header"], "reply") == (0, "")
    left = 0
    while again := client.get(wait=1 if left >= 3 else PATIENCE_SECONDS):
        assert again["xqueue_header"] != taken["xqueue_header"]
        assert client.put(again["xqueue_header"], "another") == (0, "")
        left += 1
    assert left >= 3
    with broker_side(vhost.amqp_url) as side:
        came = side.take_all(CHECKED_QUEUE)
        side.wait_ready(submissions_queue("openedx"), 0)
    assert [each.body for each in came].count(b"reply") == 1
    assert len({each.correlation_id for each in came}) == len(came) == left + 1


async def a_relay_delivers_all_and_nothing_twice(outage: Outage) -> None:
    with outage.vhost() as vhost:
        settings = settings_for(vhost.amqp_url, callback_concurrency=16)
        async with running_lms() as lms:
            async with results_at(settings) as results:
                await results.put_many([lms.header(str(number)) for number in range(200)])
            lms.always(Answer(delay=0.2))
            await outage.is_near(queue_of(vhost))
            async with running_relay(settings):
                await lms.wait_accepted(120)
                await outage.begins()
                await outage.ends()
                await eventually(lambda: len({callback.lms_key for callback in lms.accepted}) == 200)
                async with grader_side(settings) as results:
                    await results.rest(settings)
            # This relay remembers what it delivered, so even those in flight were not posted again.
            assert len(lms.accepted) == 200


async def an_amqp_grader_grades_once_more(outage: Outage) -> None:
    gate = Gate()
    with outage.vhost() as vhost:
        async with course_at(vhost.amqp_url) as course:
            uuids = [await course.submit() for _ in range(2)]
        async with grading(vhost.amqp_url, gate.grade, Options(at_once=2)):
            await eventually(lambda: len(gate.begun) == 2)
            await outage.is_near(queue_of(vhost))
            await outage.begins()
            await outage.ends()
            await eventually(lambda: len(gate.begun) == 4)
            gate.open.set()
            async with sides_of(vhost.amqp_url) as course:
                results = [(await course.take()).correlation_id for _ in uuids]
                assert sorted(map(str, results)) == sorted(uuids)
                assert await course.waiting() == 0


async def leases_that_are_out_and_results_that_wait_are_not_lost(outage: Outage, folder: Path) -> None:
    with outage.vhost() as vhost:
        async with running_stack(vhost.amqp_url, folder) as stack, fleet(stack.gateway.url) as clients:
            accepted = await clients.submit_all(stack.headers(150))
            assert len(accepted) == 150
            for submission in [await clients.take(wait=30) for _ in range(50)]:
                assert submission
                assert await clients.put(submission, reply_to(submission["xqueue_body"]))
            leased = [submission for _ in range(50) if (submission := await clients.take(wait=30))]
            assert len(leased) == 50
            await outage.is_near(queue_of(vhost))
            await outage.begins()
            await outage.measured.wait()
            # Handed in while the broker is away: answered 503 and tried again until it is back.
            handing_in = [
                asyncio.create_task(clients.put(submission, reply_to(submission["xqueue_body"])))
                for submission in leased
            ]
            await outage.ends()
            delivered: Counter[str] = Counter()

            def all_are_delivered() -> bool:
                delivered.clear()
                delivered.update(callback.xqueue_header.decode() for callback in stack.lms.accepted)
                return len(delivered) == len(accepted)

            async with stack.relay():
                await asyncio.gather(*handing_in, clients.grade_until(all_are_delivered, graders=8))
            assert delivered == Counter(accepted)
            # The leases outlived the broker: nobody else got that work.
            assert set(clients.handed_out.values()) == {1}
            assert all(handed_in.result() for handed_in in handing_in)
            for queue in (submissions_queue("openedx"), SUBMISSIONS_PARKED, RESULTS_PARKED):
                assert await ready(stack.amqp_url, queue) == 0


def queue_of(vhost: VHost) -> str:
    """Name a queue of the topology as quorum queues are named on disk; the last of them but one that is declared."""
    return f"{vhost.name}_{RESULTS_PARKED}"
