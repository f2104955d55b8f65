"""A gateway that is told to stop: who is served on, who is not let in, and when it ends."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest

from gateway.http.departure import Departure
from gateway.leaving import LeavingServer
from tests.support.small_service import SECONDS, Client, Service, served
from tests.support.waiting import eventually


@pytest.fixture(autouse=True)
def signalled() -> Iterator[list[int]]:
    """Survive SIGTERM, as uvicorn sends it again when it has stopped."""
    came: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    yield came
    signal.signal(signal.SIGTERM, before)


def tell_to_stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


class Port:
    """Where it listens, and whoever has come there."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._clients: list[Client] = []

    async def client(self) -> Client:
        self._clients.append(Client(*await asyncio.open_connection("127.0.0.1", self._number)))
        return self._clients[-1]

    def hang_up(self) -> None:
        for client in self._clients:
            client.writer.close()


@asynccontextmanager
async def running(
    service: Service, seconds: float, *, departure: Departure | None = None, delay: float = 0.0
) -> AsyncIterator[tuple[asyncio.Task[None], Port]]:
    config = served(service)
    config.port = 0
    config.timeout_graceful_shutdown = 0
    server = LeavingServer(config, departure or Departure(), delay=delay, seconds=seconds)
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: server.started)
    port = Port(server.servers[0].sockets[0].getsockname()[1])
    try:
        yield serving, port
    finally:
        port.hang_up()
        service.let_go.set()
        server.should_exit = server.force_exit = True
        async with asyncio.timeout(SECONDS):
            await serving


async def test_whom_it_has_is_answered_and_told_to_close_and_nobody_else_is_let_in(
    signalled: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    service = Service()
    async with running(service, SECONDS) as (serving, port):
        polls, keeps, has_just_come = [await port.client() for _ in range(3)]
        polls.asks("/poll")
        keeps.asks()
        assert await keeps.answer() == ("quick", False)
        await asyncio.wait_for(service.asked.wait(), SECONDS)
        tell_to_stop()
        await eventually(lambda: "taking no more connections" in caplog.text)
        with pytest.raises(ConnectionRefusedError):
            await port.client()
        for client in (has_just_come, keeps):
            client.asks()
            assert await client.answer() == ("quick", True)
            assert await client.is_hung_up_on()
        assert not serving.done()
        service.let_go.set()
        assert await polls.answer() == ("polled", True)
        async with asyncio.timeout(SECONDS):
            await serving
    assert signalled == [signal.SIGTERM]


async def test_who_is_not_done_in_time_is_cut_off() -> None:
    service = Service()
    async with running(service, 0.2) as (serving, port):
        polls = await port.client()
        polls.asks("/poll")
        await asyncio.wait_for(service.asked.wait(), SECONDS)
        tell_to_stop()
        async with asyncio.timeout(SECONDS):
            await serving


async def test_told_twice_it_stops_at_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    service = Service()
    async with running(service, 10 * SECONDS) as (serving, port):
        polls = await port.client()
        polls.asks("/poll")
        await asyncio.wait_for(service.asked.wait(), SECONDS)
        tell_to_stop()
        await eventually(lambda: "taking no more connections" in caplog.text)
        tell_to_stop()
        async with asyncio.timeout(SECONDS):
            await serving


async def test_without_a_time_to_leave_it_stops_at_the_first_word() -> None:
    service = Service()
    async with running(service, 0) as (serving, port):
        keeps = await port.client()
        keeps.asks()
        assert await keeps.answer() == ("quick", False)
        tell_to_stop()
        assert await keeps.is_hung_up_on()
        async with asyncio.timeout(SECONDS):
            await serving


async def test_first_it_only_says_that_it_goes_and_lets_everybody_in() -> None:
    service, departure = Service(), Departure()
    async with running(service, 0, departure=departure, delay=10 * SECONDS) as (serving, port):
        tell_to_stop()
        await eventually(lambda: departure.has_begun)
        comes = await port.client()
        comes.asks()
        assert await comes.answer() == ("quick", True)
        assert not departure.is_over
        assert not serving.done()
        tell_to_stop()
        async with asyncio.timeout(SECONDS):
            await serving
        assert departure.is_over


async def test_whoever_waits_is_told_so_when_it_stops() -> None:
    service, departure = Service(), Departure()
    async with running(service, 0, departure=departure, delay=0.1) as (serving, _):
        waits = asyncio.create_task(asyncio.Event().wait())
        departure.ends(waits)
        tell_to_stop()
        async with asyncio.timeout(SECONDS):
            await asyncio.wait({waits})
            await serving
        assert waits.cancelled()
