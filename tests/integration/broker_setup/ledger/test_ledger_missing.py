"""A ledger that has no copy here, is missing, is deleted or is another one: a reader says so and reads once it can."""

import asyncio
from typing import Any

import pytest

from broker_setup.amqp.channel import Channel
from broker_setup.amqp.errors import PRECONDITION_FAILED, ChannelClosedError
from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger import reader as reader_module
from broker_setup.operator.setup.declare import declare
from broker_setup.topology import topology
from tests.support.broker import VHost
from tests.support.ledger import follower, write_frames
from tests.support.ledger_events import expirations
from tests.support.proxy import proxied
from tests.support.waiting import eventually


def declare_ledger(vhost: VHost) -> None:
    declare(vhost.amqp_url, topology(["openedx"], (1,)))


# When its node has no copy of the ledger.

NO_COPY = "PRECONDITION_FAILED - queue 'queue 'xqueue.ledger' in vhost '/'' does not have a replica on the local node"


@pytest.fixture
def refusals(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the broker refuses the next consumers with, as one does whose node has no copy."""
    left: list[str] = []
    consume = Channel.consume

    async def refuse(self: Channel, *arguments: Any) -> str:
        if left:
            await self.close()
            raise ChannelClosedError(left.pop(), PRECONDITION_FAILED)
        return await consume(self, *arguments)

    monkeypatch.setattr(Channel, "consume", refuse)
    return left


async def test_a_node_without_a_copy_of_the_ledger_is_left_for_another(declared: VHost, refusals: list[str]) -> None:
    refusals.append(NO_COPY)
    async with (
        proxied(declared.amqp_url) as other,
        follower(declared.amqp_url, read_by=f"{declared.amqp_url},{other.url}") as it,
    ):
        await it.catch_up()
        assert it.link.opened == 2


async def test_where_there_is_no_other_node_it_says_what_is_missing_and_reads_once_there_is_a_copy(
    declared: VHost, refusals: list[str]
) -> None:
    refusals.extend([NO_COPY] * 3)
    async with follower(declared.amqp_url) as it:
        await eventually(lambda: "no copy of the ledger" in it.reader.problem)
        await it.catch_up()
        assert it.link.opened == 1, "a storm of connections would help nobody"


# When the stream goes.


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes two silences to know that a stream is another one; here they are short."""
    monkeypatch.setattr(reader_module, "MARKER_SECONDS", 1.0)


async def test_a_ledger_that_is_missing_at_the_start_is_named_and_needs_no_restart(vhost: VHost) -> None:
    async with follower(vhost.amqp_url) as it:
        await eventually(lambda: "xqueue-broker declare" in it.reader.problem)
        assert "xqueue.ledger" in it.reader.problem
        with pytest.raises(BrokerUnavailableError, match="xqueue-broker declare"):
            await it.reader.wait_up_to_date(0)
        declare_ledger(vhost)
        await it.catch_up()
        await it.write(*expirations(0, 3))
        await it.catch_up()
        assert it.events == expirations(0, 3)


async def test_a_ledger_that_is_deleted_is_named_and_the_state_is_kept(declared: VHost, impatient: None) -> None:
    async with follower(declared.amqp_url) as it:
        await it.catch_up()
        await it.write(*expirations(0, 20))
        await it.reader.barrier()
        declared.api("DELETE", "queues/{vhost}/xqueue.ledger")
        await eventually(lambda: "xqueue-broker declare" in it.reader.problem)
        assert not it.reader.is_up_to_date
        with pytest.raises(BrokerUnavailableError):
            await it.write(*expirations(20, 1))
        declare_ledger(declared)
        await it.catch_up()
        await it.write(*expirations(21, 2))
        await it.reader.barrier()
        assert it.events == [*expirations(0, 20), *expirations(21, 2)]


async def test_a_ledger_that_is_another_one_after_an_outage_is_read_from_its_beginning(
    declared: VHost, impatient: None
) -> None:
    async with proxied(declared.amqp_url) as proxy, follower(declared.amqp_url, read_by=proxy.url) as it:
        await it.catch_up()
        for event in expirations(0, 20):
            await it.write(event)
        await it.reader.barrier()
        await proxy.close()
        await eventually(lambda: not it.reader.is_up_to_date)
        declared.api("DELETE", "queues/{vhost}/xqueue.ledger")
        declare_ledger(declared)
        await asyncio.to_thread(write_frames, declared.amqp_url, [expirations(100, 3)])
        await proxy.open()
        await it.catch_up(30)
        assert it.events == [*expirations(0, 20), *expirations(100, 3)]
        await it.write(*expirations(103, 1))
        await it.reader.barrier()
        assert it.events == [*expirations(0, 20), *expirations(100, 4)]
