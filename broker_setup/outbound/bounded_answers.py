"""HTTP clients' connections on which an answer costs no more than an answer may, whatever the server sends.

The library reads all that has come at once: a server that says `102 Processing` again and again, or sends answers that
nobody asked for, would have thousands of them parsed in the event loop's thread, and all others wait for seconds.
"""

import asyncio
from functools import partial
from typing import Any

from aiohttp import TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

# An answer and what may come before it: a 100, some 102s and a 103.
MOST_ANSWERS = 16
# Handed to the parser at once, some hundred answers at the most.
PIECE = 4096


class BoundedConnector(TCPConnector):
    """A pool of connections that end where an answer has more than `most_bytes` on the wire; needs a running loop."""

    def __init__(self, *, most_bytes: int, **options: Any) -> None:
        super().__init__(**options)
        # What makes the protocol of each connection.
        self._factory = partial(_protocol, asyncio.get_running_loop(), most_bytes)


def _protocol(loop: asyncio.AbstractEventLoop, most_bytes: int) -> ResponseHandler:
    return _BoundedAnswers(loop, most_bytes)


class _BoundedAnswers(ResponseHandler):
    """Reads what answers one request, and ends the connection where that is too much."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most_bytes: int) -> None:
        super().__init__(loop)
        self._most_bytes = most_bytes
        self._bytes = self._answers = 0

    def set_response_params(self, **params: Any) -> None:
        """Begin with the next request."""
        self._bytes = self._answers = 0
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Read `data` piece by piece, as far as it goes; nothing at all makes the parser go on."""
        if len(data) <= PIECE:
            self._take(data)
            return
        for start in range(0, len(data), PIECE):
            if not self.is_connected():
                return
            self._take(data[start : start + PIECE])

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Take in an answer, or a promise of one."""
        self._answers += 1
        if self._answers <= MOST_ANSWERS:
            super().feed_data(data, size)
        else:
            self._end("too many answers")

    def _take(self, data: bytes) -> None:
        self._bytes += len(data)
        super().data_received(data)
        if self._bytes > self._most_bytes:
            self._end("too long an answer")

    def _end(self, why: str) -> None:
        # What was read before it still counts.
        self.set_exception(HttpProcessingError(message=why))
        if self.transport is not None:
            self.transport.abort()
