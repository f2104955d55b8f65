"""A broker of several nodes, or a name with several addresses: what is away, or accepts and says nothing, is passed."""

import asyncio
import contextlib
import random
import socket
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import pytest

from broker_setup.link.blocking import connect
from broker_setup.link.broker_url import ways_to
from broker_setup.link.connection import NODE_TIMEOUT_SECONDS, Link, supervised
from tests.support.broker import VHost
from tests.support.proxy import proxied
from tests.support.waiting import eventually


@contextlib.contextmanager
def mute() -> Iterator[int]:
    """A port that accepts connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def at_port(url: str, port: int) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=f"{parts.netloc.rpartition(':')[0]}:{port}").geturl()


@pytest.fixture
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last is tried first."""
    monkeypatch.setattr(random, "shuffle", lambda ways: None)


@pytest.mark.usefixtures("in_order")
async def test_nodes_that_are_away_or_mute_are_passed_within_seconds(vhost: VHost) -> None:
    with mute() as port:
        url = f"{vhost.amqp_url},{at_port(vhost.amqp_url, port)},{at_port(vhost.amqp_url, 1)}"
        link = Link(url, "link")
        began = monotonic()
        async with supervised(link), asyncio.timeout(NODE_TIMEOUT_SECONDS + 15):
            await link.wait_up()
            assert monotonic() - began >= NODE_TIMEOUT_SECONDS - 0.1
            await link.channel()


def has_opened(link: Link, connections: int) -> bool:
    return link.opened == connections


async def test_a_connection_that_was_given_up_is_followed_by_one_to_another_node(vhost: VHost) -> None:
    async with proxied(vhost.amqp_url) as one, proxied(vhost.amqp_url) as two:
        link = Link(f"{one.url},{two.url}", "link")
        nodes = []
        async with supervised(link), asyncio.timeout(60):
            for opened in range(1, 7):
                await eventually(partial(has_opened, link, opened))
                nodes.append(link._way)
                link.drop("it is of no use")
        assert link.has_other_nodes
        assert all(before != after for before, after in pairwise(nodes)), nodes


async def test_where_there_is_one_node_a_dropped_connection_goes_there_again(vhost: VHost) -> None:
    link = Link(vhost.amqp_url, "link")
    async with supervised(link), asyncio.timeout(60):
        await link.wait_up()
        link.drop("it is of no use")
        await eventually(lambda: link.opened == 2)
        assert link._watching is None, "there is nowhere to go where it falls silent"
    assert not link.has_other_nodes


async def test_a_node_that_falls_silent_is_left_for_another_before_the_library_gives_it_up(
    vhost: VHost, caplog: pytest.LogCaptureFixture
) -> None:
    async with proxied(vhost.amqp_url) as one, proxied(vhost.amqp_url) as two:
        link = Link(f"{one.url},{two.url}", "link", heartbeat=2)
        async with supervised(link), asyncio.timeout(60):
            await link.wait_up()
            silent, other = (one, two) if link._way == one.url else (two, one)
            silent.freeze()
            await eventually(lambda: link.opened == 2, seconds=30)
            assert link._way == other.url
            assert "nothing has come on it for 2 s, and there is another node" in caplog.text
            silent.thaw()


def test_plain_connections_pass_them_too(vhost: VHost) -> None:
    url = f"{at_port(vhost.amqp_url, 1)},{vhost.amqp_url}"
    for _ in range(4):
        with connect(url) as connection:
            assert connection.is_open


async def test_every_address_of_a_name_is_a_way_but_tls_keeps_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    async def three(host: str, port: int, **_: Any) -> list[Any]:
        if host == "unknown":
            raise socket.gaierror
        return [(0, 0, 0, "", (f"10.0.0.{number}", port)) for number in (1, 2, 3, 3)]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", three)
    plain = {f"amqp://u:p@10.0.0.{number}:5672/v" for number in (1, 2, 3)}
    assert set(await ways_to("amqp://u:p@broker/v")) == plain
    assert await ways_to("amqps://u:p@broker/v") == ["amqps://u:p@broker/v"]
    assert await ways_to("amqp://u:p@unknown/v") == ["amqp://u:p@unknown/v"]
    firsts = {(await ways_to("amqp://u:p@broker/v"))[0] for _ in range(100)}
    assert firsts == plain, "not all processes on one node"
