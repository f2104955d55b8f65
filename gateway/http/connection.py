"""What one HTTP connection may take: the size of a request's head, the time for head, body and answer, their number."""

import json
from asyncio import TimerHandle, Transport
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from broker_setup.process.beside import MIDDLING_BYTES, turn_here
from broker_setup.process.parsing_turns import ParsingTurns
from gateway.http.crowd import Crowd
from gateway.http.dialects import asked_for, translated
from gateway.http.envelope import CONTENT_TYPE, envelope, refusal
from gateway.http.one_by_one import Line, OneByOne
from gateway.http.one_write import OneWrite
from gateway.http.refusals import UNAVAILABLE

HEAD_TOO_LARGE = "The head of the request is too large"
# Answered however many connections there are: a probe that fails would have a process killed that is well.
ALIVE_PATH = b"/healthz"


@dataclass(frozen=True)
class Bounds:
    """Sizes in bytes, times in seconds; `stall` is for a client that neither sends nor reads what is due."""

    connections: int
    head_size: int
    head_seconds: float
    body_seconds: float
    stall_seconds: float


def bounded(bounds: Bounds) -> Callable[..., "BoundedConnection"]:
    """Make the factory that uvicorn calls for each connection."""
    crowd = Crowd["BoundedConnection"](bounds.connections, lambda connection: connection.flow.read_paused)
    return partial(BoundedConnection, bounds, crowd, Line(), ParsingTurns())


class BoundedConnection(OneByOne):
    """uvicorn's connection within bounds: by itself it waits for ever, and takes a head of any size."""

    def __init__(self, bounds: Bounds, crowd: "Crowd[BoundedConnection]", *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._bounds = bounds
        self._crowd = crowd
        self._is_late = False
        self._application, self._serve, self._serve_in_turn = self.app, self._unless_gone, self._in_turn
        # The first head is expected at once, a later one from its first byte on.
        self._is_receiving, self._is_in_body = True, False
        self._began = self._heard = self.loop.time()
        # Bytes that have come since the last one of a body: of a head, between chunks, or of trailers.
        self._outside = 0
        self._receiving: TimerHandle | None = None
        self._unread: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for a request; whoever has asked nothing for long makes room."""
        super().connection_made(transport)
        if goes := self._crowd.came(self):
            goes.transport.abort()
        self._is_late = self._crowd.is_too_large
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers and break our reference to ourselves, which would stay in memory until it is collected."""
        self._cancel()
        self._crowd.left(self)
        super().connection_lost(exc)
        self.app = self._serve = self._serve_in_turn = self._application

    def feed(self, piece: bytes) -> None:
        """Parse a piece, and count its bytes; afterwards a clock runs as long as the request is not whole."""
        self._heard = self.loop.time()
        self._crowd.sends(self, len(piece))
        self._outside += len(piece)
        super().feed(piece)
        if self._outside > self._bounds.head_size and not self.transport.is_closing():
            self._refuse(431, HEAD_TOO_LARGE)
        if self._is_receiving and self._receiving is None and not self.transport.is_closing():
            self._watch()

    def on_message_begin(self) -> None:
        """Note when a request began."""
        super().on_message_begin()
        self._is_receiving, self._is_in_body, self._began = True, False, self._heard

    def on_headers_complete(self) -> None:
        """Begin the request, or its refusal if there are too many or its head is too large."""
        # Of this request: what is parsed at once ends where a head does.
        size = self._outside
        # To look into a large head (a query, cookies, Accept) takes milliseconds, and strangers come together.
        self.app = self._serve_in_turn if size > MIDDLING_BYTES else self._serve
        self._crowd.asks(self)
        if self._is_late and self._crowd.is_too_large and self.url.partition(b"?")[0] != ALIVE_PATH:
            self.app = _refusing(503, UNAVAILABLE)
        elif size > self._bounds.head_size:
            self.app = _refusing(431, HEAD_TOO_LARGE)
        super().on_headers_complete()
        self._is_in_body, self._began, self._outside = True, self._heard, 0

    def on_body(self, body: bytes) -> None:
        """Take a part of the body in."""
        super().on_body(body)
        self._outside = 0

    def on_message_complete(self) -> None:
        """Stop the clock."""
        super().on_message_complete()
        self._is_receiving, self._outside = False, 0
        self._crowd.is_served(self)

    def on_response_complete(self) -> None:
        """Note that nothing is asked any more, unless further requests wait; what is not parsed may be none."""
        if not self.pipeline:
            self._crowd.has_answer(self)
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Give the client some time to read what is there for it."""
        super().pause_writing()
        self._unread = self.loop.call_later(self._bounds.stall_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: the client reads."""
        if self._unread:
            self._unread.cancel()
        super().resume_writing()

    async def _in_turn(self, scope: Any, receive: Any, send: Any) -> None:
        await turn_here(MIDDLING_BYTES + 1)
        await self._unless_gone(scope, receive, send)

    async def _unless_gone(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            await self._application(scope, receive, OneWrite(send))
        except RuntimeError:
            # uvloop raises it where a client hangs up just as it is answered: no error, and any stranger can cause it.
            if not self.transport.is_closing():
                raise
            self.cycle.disconnected = True

    def _watch(self) -> None:
        self._receiving = None
        if not self._is_receiving or self.transport.is_closing():
            return
        now = self.loop.time()
        if self._is_in_body and self.flow.read_paused:
            # We have stopped reading, so the sender is not late.
            self._heard = now
        due = self._began + (self._bounds.body_seconds if self._is_in_body else self._bounds.head_seconds)
        if self._is_in_body:
            due = min(due, self._heard + self._bounds.stall_seconds)
        if now >= due:
            self._refuse(408, "The request did not come in time")
        else:
            self._receiving = self.loop.call_at(due, self._watch)

    def _refuse(self, status: int, why: str) -> None:
        body = json.dumps(envelope(1, why)).encode()
        head = f"HTTP/1.1 {status} Refused\r\ncontent-type: {CONTENT_TYPE}\r\ncontent-length: {len(body)}\r\n"
        answered = self.cycle is not None and self.cycle.response_started
        if not answered or (self.cycle.response_complete and not self._is_in_body):
            self.transport.write(head.encode() + b"connection: close\r\n\r\n" + body)
        self.transport.close()

    def _cancel(self) -> None:
        for timer in (self._receiving, self._unread, self.timeout_keep_alive_task):
            if timer:
                timer.cancel()


def _refusing(status: int, why: str) -> ASGIApp:
    async def refused(scope: Scope, receive: Receive, send: Send) -> None:
        answer = translated(refusal(why, status, {"connection": "close"}), asked_for(Headers(scope=scope)))
        await answer(scope, receive, send)

    return refused
