"""HTTP clients' connections on which an answer costs no more than an answer may, whatever the server sends.

The library parses all that has come at once: thousands of `102 Processing`, of answers that nobody asked for, or of
chunks of one byte, and all others wait for seconds. Here what came is kept, and parsed piece by piece in turn.
"""

import asyncio
from functools import partial
from typing import Any

from aiohttp import ClientTimeout, SocketTimeoutError, TCPConnector
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest, ConnectionKey
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError

from broker_setup.process.parsing_turns import ParsingTurns

# An answer and what may come before it: a 100, some 102s and a 103.
MOST_ANSWERS = 16
# Handed to the parser at once, some hundred answers or chunks at the most.
PIECE = 4096
# An LMS's whole answer: it goes before what comes behind in others.
FIRST_BYTES = 1024
# What one origin has of connections, as far as their number is bounded by that of origins.
MOST_TO_ONE = 4
# While more is kept than this, nothing is read from the socket; it comes in up to 256 KiB at once.
MOST_KEPT = 64 * 1024
# The time of what is connected is counted around it.
_NO_TIMES = ClientTimeout()


class BoundedConnector(TCPConnector):
    """A pool of connections that end where an answer has more than `most_bytes` on the wire; needs a running loop.

    `turns` are those of all the loop's connections.
    """

    def __init__(self, *, most_bytes: int, turns: ParsingTurns, **options: Any) -> None:
        super().__init__(**options)
        # What makes the protocol of each connection.
        self._factory = partial(_protocol, asyncio.get_running_loop(), most_bytes, turns)

    async def connected(self, request: ClientRequest, key: ConnectionKey, seconds: float) -> Connection:
        """Return a connection that was kept, or a new one, for `request`, whose key `key` is.

        Raise an error of the library's, or TimeoutError where there is none within `seconds`.
        """
        if (kept := await self._get(key, [])) is not None:
            return kept
        async with asyncio.timeout(seconds):
            return await self.connect(request, [], _NO_TIMES)

    def _release(self, key: Any, protocol: ResponseHandler, *, should_close: bool = False) -> None:
        """Keep a connection for the next request, and of all that are kept no more than `limit`, lately used.

        The library keeps any number for 15 s: whoever names thousands of origins would have all descriptors.
        """
        super()._release(key, protocol, should_close=should_close)
        if isinstance(protocol, BoundedAnswers):
            protocol.rest()
        if len(self._conns) > max(1, self.limit // MOST_TO_ONE):
            for idle, _ in self._conns.pop(next(iter(self._conns))):
                idle.close()


def _protocol(loop: asyncio.AbstractEventLoop, most_bytes: int, turns: ParsingTurns) -> ResponseHandler:
    return BoundedAnswers(loop, most_bytes, turns)


class BoundedAnswers(ResponseHandler):
    """Reads what answers one request, in turn with other connections, and ends the connection where it is too much."""

    def __init__(self, loop: asyncio.AbstractEventLoop, most_bytes: int, turns: ParsingTurns) -> None:
        super().__init__(loop)
        self._most_bytes = most_bytes
        self._turns = turns
        self._bytes = self._answers = 0
        # Whether a request went out on it, and whether it is kept for the next one.
        self.was_used = self._rests = False
        # What came and is not parsed yet; pieces are cut from its front, which takes no time however long it is.
        self._kept = bytearray()
        self._has_turns = False
        # Whether the reader has enough, whether the socket is not read for all that is kept, and whether it has ended.
        self._is_full = self._is_held = self._is_lost = False
        self._lost_by: BaseException | None = None

    @property
    def should_close(self) -> bool:
        """Whether no other request may go out on it: what is kept behind an answer would answer that."""
        return bool(self._kept) or super().should_close

    def set_response_params(self, **params: Any) -> None:
        """Begin with the next request."""
        self.was_used, self._rests = True, False
        self._bytes = self._answers = 0
        super().set_response_params(**params)

    def rest(self) -> None:
        """Take nothing before the next request goes out: it would be read as the answer to that."""
        self._rests = True

    def give_up_at(self, until: float) -> asyncio.TimerHandle:
        """Let whoever awaits an answer, or its rest, get a TimeoutError at `until`, on the loop's clock."""
        return self._loop.call_at(until, self._give_up)

    def _give_up(self) -> None:
        self.set_exception(error := SocketTimeoutError())
        if self._payload is not None:
            self._payload.set_exception(error)

    def data_received(self, data: bytes) -> None:
        """Keep `data` until it is parsed, at once if there is time for it; nothing at all makes the parser go on."""
        if not data:
            super().data_received(data)
        elif self._rests:
            self.close()
            return
        self._kept += data
        self._take_turns()
        if not self._is_held and len(self._kept) > MOST_KEPT and self.transport is not None:
            self._is_held = True
            self.transport.pause_reading()

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Take in an answer, or a promise of one."""
        self._answers += 1
        if self._answers <= MOST_ANSWERS:
            super().feed_data(data, size)
        else:
            self._end("too many answers")

    def pause_reading(self) -> None:
        """Parse nothing more: the reader has enough."""
        self._is_full = True
        super().pause_reading()

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 - the library's
        """Go on. The library says so whenever one chunk was read, which costs more than the chunk."""
        if self._is_full:
            self._is_full = False
            super().resume_reading(resume_parser)
            if self._is_held and self.transport is not None:
                self.transport.pause_reading()
            self._take_turns()
            self._end_soon()

    def connection_lost(self, exc: BaseException | None) -> None:
        """End, after what is kept was parsed and the reader has it, unless it was we who ended it."""
        self._is_lost, self._lost_by = True, exc
        self._end_if_through()

    def close(self) -> None:
        """End the connection at once: what is not written yet waits for as long as the other side likes."""
        self.abort()

    def abort(self) -> None:
        """End the connection; what is kept is of no use to anybody."""
        super().abort()
        self._kept.clear()
        self._end_soon()

    def _take_turns(self) -> None:
        if self._kept and not self._has_turns and not self._is_full:
            self._has_turns = True
            self._turns.begin(self._loop, self._parse_piece, is_first=self._bytes < FIRST_BYTES)

    def _parse_piece(self) -> bool:
        """Parse a piece of what is kept; return whether there is more to be parsed now."""
        size = PIECE if self._bytes >= FIRST_BYTES else FIRST_BYTES - self._bytes
        piece = bytes(self._kept[:size])
        del self._kept[:size]
        if piece:
            self._parse(piece)
        self._end_if_through()
        self._has_turns = bool(self._kept) and not self._is_full
        if self._is_held and len(self._kept) <= MOST_KEPT and self.transport is not None:
            self._is_held = False
            if not self._is_full:
                self.transport.resume_reading()
        return self._has_turns

    def _parse(self, piece: bytes) -> None:
        self._bytes += len(piece)
        before = self.exception()
        super().data_received(piece)
        if self._bytes > self._most_bytes:
            self._end("too long an answer")
        if self.exception() is not before:
            self._kept.clear()

    def _end(self, why: str) -> None:
        # What was read before it still counts.
        self.set_exception(HttpProcessingError(message=why))
        if self.transport is not None:
            self.transport.abort()

    def _end_soon(self) -> None:
        # Not at once: whoever calls may be in the midst of parsing, or of reading.
        if self._is_lost:
            self._loop.call_soon(self._end_if_through)

    def _end_if_through(self) -> None:
        is_through = self.transport is None or not (self._kept or self._is_full)
        if self._is_lost and is_through:
            self._is_lost = False
            super().connection_lost(self._lost_by)
            self._lost_by = None
