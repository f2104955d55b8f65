"""A light HTTP/1.1 client over one kept connection: the load must cost little beside what it measures."""

import asyncio
from typing import cast

_LENGTH = b"content-length: "


class BusyError(Exception):
    """The server answered 503: it can't do this now, and may have done it."""


class HttpConnection(asyncio.Protocol):
    """Sends prepared requests, one at a time, and returns the bodies of their answers."""

    def __init__(self) -> None:
        """Prepare it for `connect`."""
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail the call that waits."""
        if self._answer and not self._answer.done():
            self._answer.set_exception(exc or ConnectionError("the server closed the connection"))

    def data_received(self, data: bytes) -> None:
        """Collect an answer; when it is whole, hand it to its caller."""
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        at = head.find(_LENGTH)
        length = int(head[at + len(_LENGTH) :].split(b"\r\n", 1)[0]) if at >= 0 else 0
        if len(self._buffer) < end + 4 + length:
            return
        body, self._buffer = self._buffer[end + 4 : end + 4 + length], self._buffer[end + 4 + length :]
        if self._answer and not self._answer.done():
            status_line = head.split(b"\r\n", 1)[0].decode()
            if status_line.startswith("http/1.1 200"):
                self._answer.set_result(body)
            elif status_line.startswith("http/1.1 503"):
                self._answer.set_exception(BusyError())
            else:
                self._answer.set_exception(RuntimeError(f"answered {status_line}"))

    async def call(self, request: bytes) -> bytes:
        """Send `request` and return the body of the answer; raise BusyError at a 503, RuntimeError at all but a 200."""
        assert self._transport
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close the connection."""
        if self._transport:
            self._transport.close()


async def connect(port: int) -> HttpConnection:
    """Open a connection to a server on the loopback."""
    _, connection = await asyncio.get_running_loop().create_connection(HttpConnection, "127.0.0.1", port)
    return connection
