"""`xqueue-broker migrate`: queues of other arguments are made anew, with what is in them."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pika
import pytest

from broker_setup.operator.management_api import Management
from broker_setup.operator.migrate import migrating
from broker_setup.operator.migrate.migrating import Migration, find_different
from broker_setup.operator.migrate.moving import Mover
from broker_setup.operator.migrate.plan import Step, temporary_queue
from broker_setup.settings import Settings
from broker_setup.topology import MIGRATING, SUBMISSIONS_EXCHANGE, submissions_queue
from tests.support.broker import Broker, VHost, temporary_vhost
from tests.support.earlier_version import VERSION_0_1_0, programs_of
from tests.support.operator import Operator, begun, environment, take_all

QUEUE = submissions_queue("openedx")
OTHER_ARGUMENTS = {"x-queue-type": "quorum", "x-delivery-limit": 1000}
MESSAGES = 300


@pytest.fixture
def vhost(broker: Broker) -> Iterator[VHost]:
    """One that is not lent to the next test: its queues are deleted."""
    with temporary_vhost(broker) as own:
        yield own


@contextlib.contextmanager
def channel_of(vhost: VHost) -> Iterator[pika.adapters.blocking_connection.BlockingChannel]:
    with pika.BlockingConnection(pika.URLParameters(vhost.amqp_url)) as connection:
        yield connection.channel()


def put(vhost: VHost, numbers: range) -> None:
    with channel_of(vhost) as channel:
        channel.confirm_delivery()
        for number in numbers:
            properties = pika.BasicProperties(
                delivery_mode=2,
                correlation_id=str(number),
                message_id=uuid4().hex,
                headers={"number": number},
                type="work",
            )
            channel.basic_publish(SUBMISSIONS_EXCHANGE, "openedx", b"%d" % number, properties, mandatory=True)


@pytest.fixture
def site(vhost: VHost) -> Operator:
    """An operator, at a broker whose queue for openedx has the arguments of another version."""
    operator = Operator(vhost.amqp_url)
    assert operator.run("declare").returncode == 0
    with channel_of(vhost) as channel:
        channel.queue_delete(QUEUE)
        channel.queue_declare(QUEUE, durable=True, arguments=OTHER_ARGUMENTS)
        channel.queue_bind(QUEUE, SUBMISSIONS_EXCHANGE, "openedx")
    return operator


def numbers_in(vhost: VHost) -> list[int]:
    taken = take_all(vhost.amqp_url, QUEUE)
    assert all(headers["number"] == int(body) == int(uuid) for uuid, body, headers in taken)
    return [int(body) for _, body, _ in taken]


def queues_left(vhost: VHost) -> set[str]:
    return {entry["name"] for entry in vhost.api("GET", "queues/{vhost}").json() if entry["name"].startswith(MIGRATING)}


def test_it_says_what_differs_and_does_nothing_unasked(vhost: VHost, site: Operator) -> None:
    put(vhost, range(3))
    said = site.json("migrate", MANAGEMENT_URL=vhost.management_url)
    assert [(row["queue"], row["waiting"]) for row in said["queues"]] == [(QUEUE, 3)]
    assert "inequivalent arg" in said["queues"][0]["why"]
    assert said["moved"] == 0
    assert site.run("declare").returncode == 1, "it is as it was"
    assert "MANAGEMENT_URL is not set" in site.refused("migrate", "--yes")


class JustStarted(Management):
    """The management API of a broker that has just started: it lists nothing."""

    def __init__(self) -> None:
        pass

    def queues(self) -> Sequence[Mapping[str, Any]]:
        return []

    def bindings(self) -> set[tuple[str, str, str]]:
        return set()


def test_what_differs_is_seen_though_the_management_api_lists_no_queue_yet(vhost: VHost, site: Operator) -> None:
    with channel_of(vhost) as channel:
        channel.queue_declare(temporary_queue(QUEUE), durable=True, arguments=OTHER_ARGUMENTS)
    settings = Settings(amqp_url=site.amqp_url, xqueues={"openedx": None}, retry_delays=(0.3, 1, 3600))
    found = find_different(settings, JustStarted())
    assert [(each.queue.name, each.step) for each in found] == [(QUEUE, Step.MOVE_OUT)]


async def test_killed_again_and_again_nothing_is_lost_nothing_there_twice_and_the_order_kept(
    vhost: VHost, site: Operator
) -> None:
    """Behind what waits come new submits all the time, as long as one is bound; a refused one is made again."""
    await asyncio.to_thread(put, vhost, range(MESSAGES))
    sent, is_over = MESSAGES, False

    async def submit() -> None:
        nonlocal sent
        while not is_over:
            with contextlib.suppress(pika.exceptions.UnroutableError):
                await asyncio.to_thread(put, vhost, range(sent, sent + 1))
                sent += 1
            await asyncio.sleep(0.02)  # the pace of the load

    submitting = asyncio.create_task(submit())
    settings = site.settings() | {"MANAGEMENT_URL": vhost.management_url}
    for seconds in (0.35, 0.45, 0.55, 0.7, 0.9, 1.2):
        process = await begun("migrate", "--yes", **settings)
        async with asyncio.timeout(60):
            while not await asyncio.to_thread(queues_left, vhost):
                await asyncio.sleep(0.05)
        await asyncio.sleep(seconds)  # somewhere on its way
        await process.kill()
    refused = await asyncio.to_thread(site.refused, "declare")
    assert "a migration is under way" in refused
    ran = await asyncio.to_thread(site.json, "migrate", "--yes", MANAGEMENT_URL=vhost.management_url)
    assert [row["queue"] for row in ran["queues"]] == [QUEUE]
    is_over = True
    await submitting
    assert await asyncio.to_thread(numbers_in, vhost) == list(range(sent))
    assert queues_left(vhost) == set()
    assert (await asyncio.to_thread(site.run, "declare")).returncode == 0


class KilledError(Exception):
    """Stands for a kill at one point of a run."""


async def test_what_a_killed_run_had_acked_while_its_witness_still_told_of_it_comes_back(
    vhost: VHost, site: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await asyncio.to_thread(put, vhost, range(30))
    settings = Settings(
        amqp_url=site.amqp_url,
        xqueues={"openedx": None},
        retry_delays=(0.3, 1, 3600),
    )

    async def migrate() -> None:
        with Management(vhost.management_url, vhost.name, None) as api:
            queues = [each.queue for each in await asyncio.to_thread(find_different, settings, api)]
            assert [each.name for each in queues] == [QUEUE]
            await Migration(settings, api, lambda *_: None).run(queues, by="a test")

    async def killed(_: Mover) -> None:
        raise KilledError

    # Nobody holds anything here.
    monkeypatch.setattr(migrating, "COUNTED_SECONDS", 0.1)
    with monkeypatch.context() as once:
        once.setattr(Mover, "_clear_witness", killed)
        with pytest.raises(KilledError):
            await migrate()
    await migrate()
    assert await asyncio.to_thread(numbers_in, vhost) == list(range(30))


async def test_what_is_held_is_waited_for(vhost: VHost, site: Operator) -> None:
    await asyncio.to_thread(put, vhost, range(3))
    settings = site.settings() | {"MANAGEMENT_URL": vhost.management_url}
    with channel_of(vhost) as channel:
        settled, given_back = (channel.basic_get(QUEUE)[0].delivery_tag for _ in range(2))
        process = await begun("migrate", "--yes", **settings)
        async with asyncio.timeout(60):
            while f"{MIGRATING}.{QUEUE}" not in await asyncio.to_thread(queues_left, vhost):
                await asyncio.sleep(0.1)
        channel.basic_ack(settled)
        channel.basic_nack(given_back, requeue=True)
    assert await process.ended(120) == 0
    assert sorted(await asyncio.to_thread(numbers_in, vhost)) == [1, 2]


def test_the_topology_of_the_release_before_becomes_this_ones_by_declare_alone(vhost: VHost, tmp_path: Path) -> None:
    """A change that makes this fail has to be migrated: say so in docs/howto/upgrade.md, and have this test do it."""
    operator = Operator(vhost.amqp_url)
    settings = environment(**operator.settings())
    former = programs_of(VERSION_0_1_0, tmp_path)
    subprocess.run([sys.executable, "-m", "broker_setup", "declare"], env=settings, cwd=former, check=True)
    assert operator.run("declare").returncode == 0
    assert operator.json("migrate", MANAGEMENT_URL=vhost.management_url)["queues"] == []
    assert operator.json("check")["problems"] == []
