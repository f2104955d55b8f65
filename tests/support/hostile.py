"""An LMS that wants to do harm: it says what it is told to, for as long as somebody listens."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
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


@contextlib.contextmanager
def answering_together(count: int, answer: bytes) -> Iterator[str]:
    """Run, beside the event loop, a server that answers as soon as `count` have asked it, all of them; give its URL."""

    def serve() -> None:
        asking = []
        try:
            for _ in range(count):
                asking.append(server.accept()[0])
                asking[-1].setblocking(False)
            with ThreadPoolExecutor(count) as senders:
                list(senders.map(send, asking))
        finally:
            for connection in asking:
                connection.close()

    def send(connection: socket.socket) -> None:
        # Whoever has read enough hangs up.
        with contextlib.suppress(OSError):
            connection.setblocking(True)
            connection.sendall(answer)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65536):
                pass

    with socket.create_server((LOOPBACK, 0), backlog=count) as server, ThreadPoolExecutor(1) as beside:
        serving = beside.submit(serve)
        host, port = server.getsockname()[:2]
        yield f"http://{host}:{port}/score_update"
        # Else who waits to be asked would wait for ever.
        server.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            serving.result()
