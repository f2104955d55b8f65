"""A link that is cancelled while it connects ends, and leaves no connection."""

import asyncio

import pytest

from broker_setup.link import connection as module
from broker_setup.link.connection import Link


class Connection:
    """As much of a connection as a link looks at."""

    def __init__(self) -> None:
        self.on_closed: set[object] = set()
        self.is_closed = False

    async def close(self) -> None:
        self.is_closed = True


async def meets(cancelled: asyncio.Task[None], outcome: object) -> object:
    """Come to an end in the moment in which `cancelled` is cancelled."""
    cancelled.cancel()
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


async def test_a_cancel_that_meets_the_new_connection_ends_the_link_and_closes_the_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made = Connection()
    link = Link("amqp://guest:guest@127.0.0.1:1/", "cancelled")
    running = asyncio.create_task(link.run())
    monkeypatch.setattr(module, "connect", lambda *_, **__: meets(running, made))
    await asyncio.wait({running}, timeout=30)
    assert running.cancelled()
    await link.close()
    assert made.is_closed
    assert not link.is_up


async def test_a_cancel_that_meets_a_failure_to_connect_ends_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    link = Link("amqp://guest:guest@127.0.0.1:1/", "cancelled")
    running = asyncio.create_task(link.run())
    monkeypatch.setattr(module, "connect", lambda *_, **__: meets(running, ConnectionRefusedError()))
    await asyncio.wait({running}, timeout=30)
    assert running.cancelled()


async def test_a_cancel_that_meets_the_answer_of_the_name_server_ends_the_link(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ways_to(url: str) -> list[str]:
        running.cancel()
        return [url]

    async def connect(*_: object, **__: object) -> Connection:
        return Connection()

    link = Link("amqp://guest:guest@127.0.0.1:1/", "cancelled")
    running = asyncio.create_task(link.run())
    monkeypatch.setattr(module, "ways_to", ways_to)
    monkeypatch.setattr(module, "connect", connect)
    await asyncio.wait({running}, timeout=30)
    assert running.cancelled()
