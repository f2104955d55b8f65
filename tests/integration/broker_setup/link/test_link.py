"""The supervised connection: it comes back whatever ends it, and says at once when it is not there."""

import asyncio
import logging
import time
from urllib.parse import quote

import pytest
import requests

from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.topology import RESULTS_EXCHANGE, RESULTS_QUEUE
from tests.support.broker import VHost
from tests.support.proxy import proxied
from tests.support.publishing import publish, result
from tests.support.waiting import eventually


def connection_names(vhost: VHost) -> list[str]:
    """The broker's names of the connections to this virtual host; its list lags a few seconds behind."""
    return [connection["name"] for connection in vhost.api("GET", "vhosts/{vhost}/connections").json()]


def close_connections(vhost: VHost) -> bool:
    """Have the broker close every connection that it lists; whether it knew one."""
    names = connection_names(vhost)
    for name in names:
        try:
            vhost.api("DELETE", f"connections/{quote(name, safe='')}")
        except requests.HTTPError as error:
            if error.response.status_code != 404:  # already gone, the list lags
                raise
    return bool(names)


async def test_a_connection_that_the_broker_closed_comes_back(declared: VHost) -> None:
    link = Link(declared.amqp_url, "closed by the broker")
    async with supervised(link), asyncio.timeout(60):
        await link.wait_up()
        publisher = Publisher(link)
        await publish(publisher)
        channel = await link.channel()
        await eventually(lambda: close_connections(declared))
        # It may be back before anybody sees that it was away; what was opened on the old one is closed for good.
        await eventually(lambda: channel.is_closed)
        await link.wait_up()
        await publish(publisher)


async def test_a_connection_is_found_by_its_name_in_the_management_ui(declared: VHost) -> None:
    link = Link(declared.amqp_url, "gateway 7 publishing")
    async with supervised(link), asyncio.timeout(60):
        await link.wait_up()

        def listed() -> bool:
            connections = declared.api("GET", "vhosts/{vhost}/connections").json()
            return any(each.get("client_properties", {}).get("connection_name") == link.name for each in connections)

        await eventually(listed)


async def test_a_link_comes_up_when_the_broker_does(declared: VHost) -> None:
    async with proxied(declared.amqp_url) as proxy:
        await proxy.close()
        link = Link(proxy.url, "early")
        async with supervised(link), asyncio.timeout(30):
            started = time.monotonic()
            with pytest.raises(BrokerUnavailableError):
                await link.channel()
            assert time.monotonic() - started < 2
            assert not link.is_up
            await proxy.open()
            await link.wait_up()
            await publish(Publisher(link))


async def test_a_link_comes_back_each_time_it_is_cut(declared: VHost) -> None:
    async with proxied(declared.amqp_url) as proxy:
        link = Link(proxy.url, "cut")
        async with supervised(link), asyncio.timeout(60):
            publisher = Publisher(link)
            for _ in range(3):
                await link.wait_up()
                await publish(publisher)
                await proxy.close()
                await eventually(lambda: not link.is_up)
                await proxy.open()


async def test_a_dropped_connection_is_replaced(declared: VHost) -> None:
    link = Link(declared.amqp_url, "dropped")
    async with supervised(link), asyncio.timeout(60):
        await link.wait_up()
        channel = await link.channel()
        link.drop("the test says so")
        await eventually(lambda: channel.is_closed)
        await link.wait_up()
        await publish(Publisher(link))


async def test_a_channel_takes_no_more_than_its_prefetch(declared: VHost) -> None:
    link = Link(declared.amqp_url, "prefetch")
    async with supervised(link), asyncio.timeout(60):
        await link.wait_up()
        publisher = Publisher(link)
        for _ in range(5):
            await publisher.publish(result(), exchange=RESULTS_EXCHANGE, routing_key=RESULTS_QUEUE)
        channel = await link.channel(prefetch=2)
        taken: list[object] = []
        await channel.consume(RESULTS_QUEUE, taken.append)
        await eventually(lambda: len(taken) == 2)
        # The broker has handed out all that it will: the rest is ready in the queue.
        assert await channel.count_ready(RESULTS_QUEUE) == 3


async def test_a_link_stops_at_once_and_leaves_no_connection(declared: VHost) -> None:
    link = Link(declared.amqp_url, "stopped")
    async with supervised(link):
        await link.wait_up()
        await eventually(lambda: connection_names(declared))
        started = time.monotonic()
    assert time.monotonic() - started < 2.5
    assert not link.is_up
    await eventually(lambda: not connection_names(declared))


async def test_a_link_to_nobody_stops_at_once() -> None:
    async with supervised(Link("amqp://guest:guest@127.0.0.1:1/", "nobody there")):
        await asyncio.sleep(0)
        started = time.monotonic()
    assert time.monotonic() - started < 5


async def test_a_broker_that_is_away_is_said_once_with_its_address(caplog: pytest.LogCaptureFixture) -> None:
    def ours() -> list[logging.LogRecord]:
        return [record for record in caplog.records if record.name == "broker_setup.link.connection"]

    with caplog.at_level(logging.DEBUG):
        async with supervised(Link("amqp://me:hunter2@127.0.0.1:1/", "nobody there")):
            await eventually(lambda: len(ours()) >= 3)
    [said] = [record.getMessage() for record in ours() if record.levelno >= logging.WARNING]
    assert said.startswith("nobody there: no connection to the broker at 127.0.0.1:1: ")
    assert said.endswith(": connection refused")
    assert not any("hunter2" in record.getMessage() for record in ours())


async def test_a_wrong_password_is_logged_in_a_line_that_does_not_show_it(
    declared: VHost, caplog: pytest.LogCaptureFixture
) -> None:
    account, _, where = declared.amqp_url.rpartition("@")
    link = Link(f"{account.rpartition(':')[0]}:hunter2@{where}", "impostor")
    with caplog.at_level(logging.INFO):
        async with supervised(link):
            await eventually(lambda: [record for record in caplog.records if "impostor" in record.getMessage()])
    ours = [record.getMessage() for record in caplog.records if record.name == "broker_setup.link.connection"]
    assert f"impostor: no connection to the broker at {where.partition('/')[0]}: " in ours[0]
    assert "\n" not in ours[0]
    assert not any("hunter2" in record.getMessage() for record in caplog.records)


async def test_a_virtual_host_that_is_not_there_is_said_once_and_in_words(
    vhost: VHost, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "broker_setup")
    link = Link(f"{vhost.amqp_url}-not", "probe")
    async with supervised(link):
        await eventually(lambda: caplog.text.count("no connection to the broker") >= 3)
    (warned,) = (record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING)
    assert "AMQP_URL names a virtual host that the broker doesn't have" in warned
