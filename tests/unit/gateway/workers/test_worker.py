"""One worker as its parent has it: when it takes connections, what it says, how it retires."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn

from gateway.workers.patience import is_ready
from gateway.workers.words import ALIVE, OPEN, READY, RETIRE, SERVING
from gateway.workers.worker import work
from tests.support.small_service import SECONDS, Client, Service, served
from tests.support.waiting import eventually


class Parent:
    """The other end of a worker's line, and clients of its port."""

    def __init__(self, worker: asyncio.Task[None], line: socket.socket, port: int, reports: list[bool]) -> None:
        self.worker, self._line, self._port = worker, line, port
        self.reports = reports  # whether it took connections when it made each
        self._clients: list[Client] = []

    async def hears(self, *words: bytes) -> None:
        """Wait for these words, in this order; signs of life may come in between."""
        for word in words:
            while (heard := await self._hear()) == ALIVE:
                pass
            assert heard == word

    async def _hear(self) -> bytes:
        async with asyncio.timeout(SECONDS):
            return await asyncio.get_running_loop().sock_recv(self._line, 1)

    async def hears_that_it_lives(self) -> None:
        assert await self._hear() == ALIVE

    async def says(self, word: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._line, word)

    async def client(self) -> Client:
        client = Client(*await asyncio.open_connection("127.0.0.1", self._port))
        self._clients.append(client)
        return client

    def hang_up(self) -> None:
        """Close all clients' connections."""
        for client in self._clients:
            client.writer.close()


@asynccontextmanager
async def running(service: Service) -> AsyncIterator[Parent]:
    server = uvicorn.Server(served(service))
    reports: list[bool] = []
    ours, its = socket.socketpair()
    with ours, socket.socket() as listener:
        ours.setblocking(False)
        listener.bind(("127.0.0.1", 0))
        # The parent has its own number of the socket, and the worker closes another.
        worker = asyncio.create_task(work(server, [listener.dup()], its, lambda: reports.append(server.started)))
        parent = Parent(worker, ours, listener.getsockname()[1], reports)
        try:
            yield parent
        finally:
            parent.hang_up()
            service.let_go.set()
            server.should_exit = server.force_exit = True
            async with asyncio.timeout(SECONDS):
                await worker


async def test_it_takes_connections_when_it_is_ready() -> None:
    service = Service()
    async with running(service) as parent:
        await parent.hears_that_it_lives()
        with pytest.raises(ConnectionRefusedError):
            await parent.client()
        service.ready.set()
        await parent.hears(SERVING, READY)
        client = await parent.client()
        client.asks()
        assert await client.answer() == ("quick", False)


async def test_it_takes_connections_at_once_where_nobody_else_does() -> None:
    service = Service()
    async with running(service) as parent:
        await parent.says(OPEN)
        await parent.hears(SERVING)
        client = await parent.client()
        client.asks("/readyz")
        assert await client.answer() == ("", False)
        service.ready.set()
        await parent.hears(READY)


async def test_it_answers_whom_it_has_let_in_before_it_retires_and_tells_them_to_close(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    service = Service()
    service.ready.set()
    async with running(service) as parent:
        await parent.hears(SERVING, READY)
        polls, keeps, has_just_come = [await parent.client() for _ in range(3)]
        polls.asks("/poll")
        keeps.asks()
        assert await keeps.answer() == ("quick", False)
        await asyncio.wait_for(service.asked.wait(), SECONDS)
        await parent.says(RETIRE)
        await eventually(lambda: "taking no more connections" in caplog.text)
        for client in (has_just_come, keeps):
            client.asks()
            assert await client.answer() == ("quick", True)
            assert await client.is_hung_up_on()
        assert not parent.worker.done()
        service.let_go.set()
        assert await polls.answer() == ("polled", True)
        async with asyncio.timeout(SECONDS):
            await parent.worker


async def test_it_is_ready_only_where_that_is_answered_with_200() -> None:
    service = Service()
    assert not await is_ready(service.app)
    service.ready.set()
    assert await is_ready(service.app)


async def test_it_reports_from_its_start_on_and_once_more_when_all_is_done() -> None:
    service = Service()
    async with running(service) as parent:
        await eventually(lambda: bool(parent.reports), SECONDS)
        service.ready.set()
        await parent.hears(SERVING, READY)
        await parent.says(RETIRE)
        async with asyncio.timeout(SECONDS):
            await parent.worker
        last = len(parent.reports)
    assert parent.reports[0] is False
    assert len(parent.reports) == last > 1
