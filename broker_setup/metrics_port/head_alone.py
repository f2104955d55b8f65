"""Hands a small HTTP server the head of one request on each connection, and nothing of what comes behind it.

The server's parser reads a body as it comes: 64 strangers who send one in tiny chunks hold the event loop for a second.
"""

import asyncio

# A Prometheus sends some 300 bytes.
MOST_BYTES = 16 * 1024
_END = b"\r\n\r\n"


class HeadAlone(asyncio.Protocol):
    """A connection of `server`, which takes it as its own."""

    def __init__(self, server: asyncio.Protocol) -> None:
        self._server = server
        self._left = MOST_BYTES
        # The last few bytes: an end may come in two pieces.
        self._last = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._server.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Hand over what belongs to the head; the rest is read, so that the sender gets to the answer, and dropped."""
        if not self._left:
            return
        data = data[: self._left]
        at = (self._last + data).find(_END)
        if at >= 0:
            data = data[: at + len(_END) - len(self._last)]
        self._left = 0 if at >= 0 else self._left - len(data)
        self._last = (self._last + data)[1 - len(_END) :]
        self._server.data_received(data)

    def eof_received(self) -> bool | None:
        """Say that nothing more comes."""
        return self._server.eof_received()

    def pause_writing(self) -> None:
        """Say that the other side does not read."""
        self._server.pause_writing()

    def resume_writing(self) -> None:
        """Say that it does again."""
        self._server.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._server.connection_lost(exc)
