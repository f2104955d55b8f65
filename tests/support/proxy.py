"""A TCP proxy before the broker, to cut, freeze and restore what connects through it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from tests.support.certificates import server_tls
from tests.support.ports import free_port


class Proxy:
    """Passes bytes both ways between a port of its own and the broker at `target_url`."""

    def __init__(self, target_url: str, certificate: Path | None = None) -> None:
        """With a certificate, it ends TLS: its own URL is then one of amqps."""
        self._target = urlsplit(target_url)
        self._tls = server_tls(certificate) if certificate else None
        self._server: asyncio.Server | None = None
        self._port = free_port()
        self._sent, self._heard = asyncio.Event(), asyncio.Event()
        self.thaw()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The broker's URL, by way of the proxy."""
        account = self._target.netloc.rpartition("@")[0]
        scheme = f"{self._target.scheme}s" if self._tls else self._target.scheme
        return urlunsplit(self._target._replace(scheme=scheme, netloc=f"{account}@127.0.0.1:{self._port}"))

    async def open(self) -> None:
        """Accept connections; on the same port again after a `close`."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, ssl=self._tls)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        """Accept no more connections and cut those that stand."""
        if self._server is not None:
            self._server.close()
            self._server = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def freeze(self, *, sent: bool = True, heard: bool = True) -> None:
        """Keep the connections and pass nothing on of what is sent to the broker, and heard of it."""
        if sent:
            self._sent.clear()
        if heard:
            self._heard.clear()

    def thaw(self) -> None:
        """Pass everything on again, what waited first."""
        self._sent.set()
        self._heard.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            # The cut ends both sides, whoever of them began it.
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await self._serve(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_broker, to_broker = await asyncio.open_connection(self._target.hostname, self._target.port)
        pumps = [
            asyncio.create_task(self._pump(reader, to_broker, self._sent)),
            asyncio.create_task(self._pump(from_broker, writer, self._heard)),
        ]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Before anything is awaited: a cancel may come in the midst of that.
            to_broker.close()
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, flowing: asyncio.Event) -> None:
        while data := await reader.read(65536):
            await flowing.wait()
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def proxied(target_url: str, certificate: Path | None = None) -> AsyncIterator[Proxy]:
    """Run a proxy for as long as the block runs."""
    proxy = Proxy(target_url, certificate)
    await proxy.open()
    try:
        yield proxy
    finally:
        proxy.thaw()
        await proxy.close()
