"""Strangers at the metrics port: they get few connections, each for a moment, and cost the relay next to nothing."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from broker_setup.metrics_port import doorway
from broker_setup.metrics_port import endpoint as endpoint_module
from broker_setup.metrics_port.doorway import MOST, Doorway
from broker_setup.metrics_port.endpoint import Endpoint, Standing
from tests.support.lms import LOOPBACK
from tests.support.shortages import no_descriptors
from tests.support.waiting import eventually


class Counting(Collector):
    """Counts how often it is read."""

    reads = 0

    def collect(self) -> Iterator[GaugeMetricFamily]:
        self.reads += 1
        yield GaugeMetricFamily("reads", "of this", value=self.reads)


@asynccontextmanager
async def endpoint(registry: CollectorRegistry | None = None) -> AsyncIterator[Endpoint]:
    registry = registry or CollectorRegistry()
    async with Endpoint(LOOPBACK, 0, registry=registry, standing=lambda: Standing("working", is_ready=True)) as opened:
        yield opened


async def open_at(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(LOOPBACK, int(url.rpartition(":")[2]))


async def answer(url: str, path: str, more: bytes = b"") -> bytes:
    """Ask and read until the server closes: it keeps no connection."""
    async with asyncio.timeout(30):
        reader, writer = await open_at(url)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n".encode() + more + b"\r\n")
        said = await reader.read()
        writer.close()
        return said


async def is_closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def test_silent_connections_are_few_and_keep_nobody_from_asking() -> None:
    async with endpoint() as opened:
        silent = [await open_at(opened.url) for _ in range(3 * MOST)]
        assert b"working" in await answer(opened.url, "/healthz")
        # Those that came first had to go, one for each that came later.
        async with asyncio.timeout(30):
            assert all([await is_closed(reader) for reader, _ in silent[: 2 * MOST]])
        assert opened._doorway
        assert len(opened._doorway._inside) <= MOST
        for _, writer in silent:
            writer.close()


async def test_a_connection_that_never_ends_its_request_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "Doorway", lambda server: Doorway(server, seconds=0.3))
    async with endpoint() as opened:
        for beginning in (b"", b"GET /metrics HTTP/1.1\r\n", b"POST /metrics HTTP/1.1\r\nContent-Length: 9\r\n\r\n"):
            reader, writer = await open_at(opened.url)
            writer.write(beginning)
            async with asyncio.timeout(30):
                # The POST has its answer at once, and what is left of it is not waited for.
                with suppress(ConnectionError):
                    assert b"200 OK" not in (await reader.read())
            writer.close()


async def test_no_connection_is_kept_for_a_second_request() -> None:
    async with endpoint() as opened:
        for path in ("/healthz", "/metrics", "/unknown"):
            assert b"connection: close" in (await answer(opened.url, path)).lower()


async def test_a_page_is_written_once_for_all_who_ask_in_the_same_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(endpoint_module, "PAGE_SECONDS", 600.0)
    registry, counting = CollectorRegistry(), Counting()
    registry.register(counting)
    before = counting.reads
    async with endpoint(registry) as opened:
        pages = [await answer(opened.url, f"/metrics?name[]={n}", b"Accept: text/plain\r\n") for n in range(20)]
    assert all(b"reads" in page for page in pages)
    assert counting.reads == before + 1


async def test_a_head_without_end_is_refused_without_a_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with endpoint() as opened:
        for head in (b"X: " + b"x" * 100_000 + b"\r\n", b"no header\r\n", b"Content-Length: x\r\n"):
            with suppress(ConnectionError):
                assert b"400 Bad Request" in await answer(opened.url, "/metrics", head)
    assert not caplog.messages


async def test_without_descriptors_it_says_so_once_and_answers_as_soon_as_there_are_some(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doorway, "PAUSE_SECONDS", 0.01)
    loop = asyncio.get_running_loop()
    async with endpoint() as opened:
        with socket.socket() as client:
            client.setblocking(False)
            with no_descriptors():
                await loop.sock_connect(client, (LOOPBACK, int(opened.url.rpartition(":")[2])))
                await eventually(lambda: caplog.messages, 60)
                # Some more tries.
                await asyncio.sleep(0.1)
            await loop.sock_sendall(client, b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(60):
                assert (await loop.sock_recv(client, 1000)).startswith(b"HTTP/1.1 200")
    assert caplog.messages == ["nobody can ask for the metrics or the health at the moment: too many open files"]
