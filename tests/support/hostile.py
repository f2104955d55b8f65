"""An LMS that wants to do harm: it says what it is told to, for as long as somebody listens."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

from tests.support.lms import LOOPBACK


@dataclass
class HostileLMS:
    """Where it is, and how many bytes it got rid of."""

    url: str = ""
    sent: int = 0


@contextlib.asynccontextmanager
async def hostile_lms(first: bytes, then: bytes = b"", pause: float = 0.0) -> AsyncIterator[HostileLMS]:
    """Run one that answers `first`, then `then` again and again, `pause` seconds apart; or falls silent without it."""
    lms = HostileLMS()
    talking: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await reader.readuntil(b"\r\n\r\n")
                writer.write(first)
                while then:
                    await writer.drain()
                    await asyncio.sleep(pause)
                    writer.write(then)
                    lms.sent += len(then)
                await reader.read()
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talking.add(asyncio.create_task(talk(reader, writer)))

    server = await asyncio.start_server(accept, LOOPBACK, 0)
    host, port = server.sockets[0].getsockname()[:2]
    lms.url = f"http://{host}:{port}/score_update"
    try:
        yield lms
    finally:
        server.close()
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)
        await server.wait_closed()
