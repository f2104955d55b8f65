"""`xqueue-broker migrate --to`: all moves to another broker, here another virtual host, and the ledger with it."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from broker_setup.ledger.frames import Frame
from broker_setup.link.connection import Link, supervised
from broker_setup.operator.intake import taking_in
from broker_setup.operator.migrate.moving import Mover, read_witness
from broker_setup.operator.migrate.plan import returning_queue, temporary_queue, witness_queue
from broker_setup.operator.read_ledger import read_ledger
from broker_setup.operator.session import Session
from broker_setup.operator.setup.declare import declare
from broker_setup.queue_arguments import work_queue
from broker_setup.settings import Settings
from broker_setup.topology import Topology, submissions_queue
from tests.support.broker import Broker, VHost, temporary_vhost
from tests.support.operator import Operator, begun, noted, submission, submit, waiting_in

QUEUE = submissions_queue("openedx")
URL = "http://lms/score_update"


@pytest.fixture
def vhost(broker: Broker, example: Topology) -> Iterator[VHost]:
    """One that is not lent to the next test."""
    with temporary_vhost(broker) as own:
        declare(own.amqp_url, example)
        yield own


@pytest.fixture
def other(broker: Broker, example: Topology) -> Iterator[VHost]:
    """Another broker's."""
    with temporary_vhost(broker) as own:
        declare(own.amqp_url, example)
        yield own


def events_in(vhost: VHost) -> list[object]:
    found: list[object] = []

    def take(frame: Frame) -> None:
        found.extend(frame.events)

    read_ledger(vhost.amqp_url, take)
    return found


async def test_killed_on_its_way_all_of_it_is_there_once_and_in_order_with_its_history(
    vhost: VHost, other: VHost
) -> None:
    operator = Operator(vhost.amqp_url)
    began = datetime.now(UTC)
    work = [submission(began + timedelta(seconds=number), URL) for number in range(400)]
    await submit(vhost.amqp_url, work)
    session = Session(Settings(amqp_url=vhost.amqp_url), "test")
    async with session.open(read_ledger=False):
        for each in work[:20]:
            await session.ledger.store(noted(each, URL))
    before = await asyncio.to_thread(events_in, vhost)
    for seconds in (0.2, 0.3, 0.4, 0.5):
        process = await begun("migrate", "--yes", "--to", other.amqp_url, **operator.settings())
        await asyncio.sleep(seconds)  # somewhere on its way
        await process.kill()
    said = await asyncio.to_thread(operator.json, "migrate", "--yes", "--to", other.amqp_url)
    assert {row["queue"] for row in said["queues"]} >= {QUEUE}
    again = await asyncio.to_thread(operator.json, "migrate", "--yes", "--to", other.amqp_url)
    assert (again["moved"], again["frames"]) == (0, 0)
    assert await asyncio.to_thread(waiting_in, other.amqp_url) == [each.uuid for each in work]
    assert await asyncio.to_thread(waiting_in, vhost.amqp_url) == []
    assert await asyncio.to_thread(events_in, other) == before


async def test_what_was_stored_and_not_yet_let_go_is_not_moved_again(vhost: VHost, other: VHost) -> None:
    """As a run leaves it that is killed between the confirm and the acks."""
    work = [submission(datetime.now(UTC), URL) for _ in range(3)]
    await submit(vhost.amqp_url, work)
    here, there = Link(vhost.amqp_url, "here"), Link(other.amqp_url, "there")
    async with supervised(here, there):
        await asyncio.gather(here.wait_up(), there.wait_up())
        channel = await there.channel()
        witness = witness_queue(QUEUE)
        other.api("PUT", f"queues/{{vhost}}/{witness}", json={"durable": True, "arguments": dict(work_queue())})
        async with taking_in(here) as intake:
            await intake.open(QUEUE)
            await Mover(here, there, witness)._publish(channel, await intake.take(2), QUEUE)
        second = Mover(here, there, witness)
        await second.begin()
        await second.drain(QUEUE, QUEUE)
        assert await channel.count_ready(witness) == 0
    assert await asyncio.to_thread(waiting_in, other.amqp_url) == [each.uuid for each in work]


async def test_what_a_grader_settled_after_a_killed_run_had_stored_it_is_dropped_on_the_way_back(vhost: VHost) -> None:
    """The copy waits in the temporary queue, while the message goes back to its own, where graders take it."""
    work = [submission(datetime.now(UTC), URL) for _ in range(3)]
    await submit(vhost.amqp_url, work)
    temporary, out, back = temporary_queue(QUEUE), witness_queue(QUEUE), returning_queue(QUEUE)
    for name in (temporary, out, back):
        vhost.api("PUT", f"queues/{{vhost}}/{name}", json={"durable": True, "arguments": dict(work_queue())})
    link = Link(vhost.amqp_url, "here")
    async with supervised(link):
        await link.wait_up()
        async with taking_in(link) as killed:
            await killed.open(QUEUE)
            await Mover(link, link, out)._publish(await link.channel(), await killed.take(2), temporary)
        async with taking_in(link) as grader:
            await grader.open(QUEUE)
            await grader.ack(await grader.take(1))
        second = Mover(link, link, out)
        await second.begin()
        await second.drain(QUEUE, temporary)
        await Mover(link, link, back, (await read_witness(link, out)).settled).drain(temporary, QUEUE)
    assert await asyncio.to_thread(waiting_in, vhost.amqp_url) == [each.uuid for each in work[1:]]


async def test_a_ledger_with_a_history_of_its_own_is_left_alone(vhost: VHost, other: VHost) -> None:
    for each in (vhost, other):
        session = Session(Settings(amqp_url=each.amqp_url), "test")
        async with session.open(read_ledger=False):
            await session.ledger.store(noted(submission(datetime.now(UTC), URL), URL))
    operator = Operator(vhost.amqp_url)
    refused = await asyncio.to_thread(operator.refused, "migrate", "--yes", "--to", other.amqp_url)
    assert "has 1 frame of its own" in refused
    command = ("migrate", "--yes", "--to", other.amqp_url, "--without-ledger")
    assert (await asyncio.to_thread(operator.json, *command))["frames"] == 0


def test_an_address_that_can_not_be_moved_to_is_refused_with_what_to_do(vhost: VHost) -> None:
    operator = Operator(vhost.amqp_url)
    assert "--to, or MIGRATE_TO, is no address of a broker: give amqp://" in operator.refused("migrate", "--to", "new")
    assert "--to is the broker of AMQP_URL" in operator.refused("migrate", "--to", vhost.amqp_url)
    account, _, where = vhost.amqp_url.rpartition("@")
    wrong = f"{account.rpartition(':')[0]}:hunter2@{where.partition('/')[0]}/elsewhere"
    refused = operator.refused("migrate", "--to", wrong)
    assert refused.startswith("xqueue-broker: the broker of --to: can't connect to the broker at ")
    assert "AMQP_URL" not in refused
    assert "--without-ledger is for --to alone" in operator.refused("migrate", "--without-ledger")


def test_a_broker_that_lacks_a_queue_is_to_be_declared_first(vhost: VHost, broker: Broker) -> None:
    with temporary_vhost(broker) as bare:
        refused = Operator(vhost.amqp_url).refused("migrate", "--to", bare.amqp_url)
    assert "is missing: run `declare` with it as AMQP_URL" in refused
