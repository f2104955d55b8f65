"""What callers make the gateway ask the broker: one question at a time, however many ask and hang up meanwhile."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.state import LedgerState
from broker_setup.link.connection import Link, supervised
from broker_setup.operator.setup.declare import declare
from broker_setup.topology import topology
from gateway.http import readiness as readiness_module
from gateway.http.departure import Departure
from gateway.http.readiness import Readiness
from gateway.leasing.waiting_count import WaitingCount
from tests.support.broker import VHost
from tests.support.proxy import Proxy, proxied
from tests.support.waiting import eventually

if TYPE_CHECKING:
    from broker_setup.ledger.ledger import Ledger
    from broker_setup.link.publisher import Publisher

QUEUES = ["openedx", "other"]
ALL_IS_WELL: Any = SimpleNamespace(problem="", clock_problem="")


class Desk:
    """Where callers ask: a link to the broker through a proxy, and what asks on it."""

    def __init__(self, link: Link, proxy: Proxy, queues: list[str]) -> None:
        self.proxy = proxy
        self.link = link
        self.readiness = Readiness(
            links=[link],
            asking=link,
            publisher=cast("Publisher", ALL_IS_WELL),
            ledger=cast("Ledger", ALL_IS_WELL),
            departure=Departure(),
            queues=queues,
        )
        course_queues: Any = {queue: SimpleNamespace(waiting_here=0) for queue in queues}
        self.counts = WaitingCount(link, course_queues, LedgerState())

    @property
    def channels(self) -> int:
        """How many channels this side has open."""
        return len(cast("Any", self.link)._connection._channels)


@asynccontextmanager
async def desk(vhost: VHost, queues: list[str]) -> AsyncIterator[Desk]:
    declare(vhost.amqp_url, topology(QUEUES, (1,)))
    async with proxied(vhost.amqp_url) as proxy:
        link = Link(proxy.url, "asking")
        async with supervised(link), asyncio.timeout(60):
            await link.wait_up()
            yield Desk(link, proxy, queues)


async def ask_and_hang_up(here: Desk, callers: int) -> None:
    async def caller(number: int) -> None:
        with contextlib.suppress(TimeoutError, BrokerUnavailableError):
            async with asyncio.timeout(0.001 * (number % 50)):
                await (here.readiness.problems() if number % 2 else here.counts.of("openedx"))

    await asyncio.gather(*(caller(number) for number in range(callers)))


async def test_a_thousand_callers_that_hang_up_ask_on_two_channels(vhost: VHost) -> None:
    async with desk(vhost, QUEUES) as here:
        held = await here.link.channel()
        for _ in range(10):
            await ask_and_hang_up(here, 100)
            assert here.channels <= 3
        assert await here.readiness.problems() == []
        assert await here.counts.of("openedx") == 0
        assert not held.is_closed


async def test_a_frozen_broker_is_asked_once_and_costs_no_channel_when_it_goes_on(vhost: VHost) -> None:
    # One of the queues is missing: the broker closes the channel of the question for it, while nobody waits any more.
    async with desk(vhost, [*QUEUES, "missing"]) as here:
        assert await here.counts.of("openedx") == 0
        held = await here.link.channel()
        here.proxy.freeze()
        for _ in range(5):
            await ask_and_hang_up(here, 100)
        here.proxy.thaw()
        problems = await eventually(here.readiness.problems)
        assert problems == ["xqueue.submissions.missing is missing: run `xqueue-broker declare`"]
        assert await here.counts.of("openedx") == 0
        assert not held.is_closed
        await eventually(lambda: here.channels <= 3)


async def test_a_broker_that_does_not_answer_in_time_is_a_problem(
    vhost: VHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readiness_module, "ANSWER_SECONDS", 0.2)
    async with desk(vhost, QUEUES) as here:
        here.proxy.freeze()
        assert await here.readiness.problems() == ["the broker does not answer in time"]
        here.proxy.thaw()
        await eventually(lambda: _is_well(here))


async def _is_well(here: Desk) -> bool:
    return await here.readiness.problems() == []


async def test_a_queue_that_was_declared_late_is_seen(vhost: VHost) -> None:
    async with desk(vhost, [*QUEUES, "late"]) as here:
        assert len(await here.readiness.problems()) == 1
        declare(vhost.amqp_url, topology([*QUEUES, "late"], (1,)))
        assert await here.readiness.problems() == []


async def test_a_queue_that_is_missing_costs_the_counts_of_the_others_nothing(vhost: VHost) -> None:
    async with desk(vhost, [*QUEUES, "missing"]) as here:
        assert await here.counts.of("openedx") == 0  # the channel is open
        for _ in range(20):
            counts = await asyncio.gather(
                *(here.counts.of(queue, within=30) for queue in ("missing", "openedx", "other")), return_exceptions=True
            )
            assert isinstance(counts[0], BrokerUnavailableError)
            assert counts[1:] == [0, 0]
        assert here.channels <= 3
