"""Whose turn it is among relays: one has the lock, others ask for it seldom, and nobody keeps it who can't work."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from broker_setup.link.connection import Link, supervised
from broker_setup.link.settling import PAUSE_SECONDS
from broker_setup.operator.setup.declare import declare
from broker_setup.topology import CHECKED_QUEUE, retry_queue, topology
from callback_relay.results_consumer import STANDBY_SECONDS, ConsumerState, ResultsConsumer
from tests.support.broker import VHost
from tests.support.lms import FakeLMS
from tests.support.relay import relay_process, results_at, settings_for
from tests.support.waiting import eventually


@asynccontextmanager
async def relay(vhost: VHost, *rungs: str) -> AsyncIterator[ResultsConsumer]:
    link = Link(vhost.amqp_url, "relay")
    consumer = ResultsConsumer(
        link,
        prefetch=1,
        unread_prefetch=1,
        others=rungs,
        received=lambda _: None,
        received_unread=lambda _: None,
        lost=lambda: None,
    )
    async with supervised(link):
        running = asyncio.create_task(consumer.run())
        try:
            yield consumer
        finally:
            running.cancel()
            await asyncio.wait({running})


async def test_a_relay_that_stands_by_asks_seldom_and_takes_over_from_one_that_has_no_rungs_any_more(
    vhost: VHost,
) -> None:
    all_queues = topology(["openedx"], (1.0, 2.0))
    await asyncio.to_thread(declare, vhost.amqp_url, all_queues)
    async with relay(vhost, retry_queue(2.0)) as first:
        await eventually(lambda: first.state is ConsumerState.WORKING)
        assert first.pause == PAUSE_SECONDS
        async with relay(vhost, retry_queue(1.0)) as second:
            await eventually(lambda: second.state is ConsumerState.STANDING_BY)
            assert second.pause == STANDBY_SECONDS
            for queue in (retry_queue(2.0), CHECKED_QUEUE):
                vhost.api("DELETE", f"queues/{{vhost}}/{queue}")
            # Declared anew before it has noticed, the queue might never have been away to it.
            await eventually(lambda: first.state is ConsumerState.TRYING)
            await asyncio.to_thread(declare, vhost.amqp_url, topology(["openedx"], (1.0,)))
            await eventually(lambda: second.state is ConsumerState.WORKING)
            assert first.state is ConsumerState.TRYING
        await asyncio.to_thread(declare, vhost.amqp_url, all_queues)
        await eventually(lambda: first.state is ConsumerState.WORKING)


async def test_a_killed_relay_is_replaced_within_its_successors_next_two_looks(
    vhost: VHost, lms: FakeLMS, tmp_path: Path
) -> None:
    settings = settings_for(vhost.amqp_url)
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    async with results_at(settings) as results, relay_process(settings, first) as working:
        await results.put(lms.header("before"))
        await lms.wait_accepted(1)
        async with relay_process(settings, second) as standing_by:
            await eventually(lambda: "standing by" in standing_by.log)
            await working.kill()
            await results.put(lms.header("after"))
            # Half of it is a slow machine's; a lock that had to wait for missed heartbeats would need 10 s.
            await eventually(lambda: len(lms.accepted) == 2, 2 * STANDBY_SECONDS)
