"""How the bytes of a connection become requests: no upgrade is ever made, and pipelined requests wait as bytes."""

from asyncio import AbstractEventLoop, Transport
from collections import deque
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# The first piece to be parsed. Only after it is it noticed that requests stand behind another: a dozen fit, which take
# 2 KB of memory each. (In 4 KiB were 200, and a hundred connections that sent them at once held the event loop.)
FIRST_BYTES = 256
# Later pieces are twice as large as the one before, up to this size, for the sake of large bodies.
PIECE_BYTES = 4096
# How many requests that stood behind another begin in one round of the event loop, of all connections together.
BEGUN_AT_ONCE = 4


class Line:
    """Has connections go on with what stood behind a request, some in each round of the event loop.

    A hundred that send without an end would otherwise begin a hundred requests in each round, and everybody else's
    call takes several rounds.
    """

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], None]] = deque()

    def join(self, loop: AbstractEventLoop, go_on: Callable[[], None]) -> None:
        """Call `go_on` when it is its turn, in a later round."""
        if not self._waiting:
            loop.call_soon(self._begin_some, loop)
        self._waiting.append(go_on)

    def _begin_some(self, loop: AbstractEventLoop) -> None:
        for _ in range(min(BEGUN_AT_ONCE, len(self._waiting))):
            self._waiting.popleft()()
        if self._waiting:
            loop.call_soon(self._begin_some, loop)


class OneByOne(HttpToolsProtocol):
    """uvicorn's protocol; by itself it makes objects of all requests that come at once, and drops an upgrade's body."""

    flow: "_Flow"

    def __init__(self, line: Line, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._line = line
        self._is_in_line = False
        # The unparsed bytes behind requests that stand in line.
        self._rest = bytearray()
        self._wants_upgrade = False

    @property
    def has_unparsed(self) -> bool:
        """Whether requests may have come that nobody has looked at yet."""
        return bool(self._rest)

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin, with a flow control that reads nothing more while bytes wait to be parsed."""
        super().connection_made(transport)
        self.flow = _Flow(transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came, up to a request that has to wait for the one before."""
        self._unset_keepalive_if_required()
        # Pieces are cut from its front, which takes no time however long it is.
        rest, size = self._rest, FIRST_BYTES
        rest += data
        self.flow.is_held = False
        while rest:
            if self.pipeline or self._is_in_line:
                self.flow.is_held = True
                self.flow.pause_reading()
                return
            piece = bytes(rest[:size])
            del rest[:size]
            self.feed(piece)
            if self.transport.is_closing():
                rest.clear()
                return
            size = min(2 * size, PIECE_BYTES)

    def feed(self, piece: bytes) -> None:
        """Parse a piece."""
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            if self.parser.get_method() == b"CONNECT":
                self.send_400_response("This is no proxy.")
                return
            self._begin_without_upgrade()
            self.feed(piece[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")

    def on_headers_complete(self) -> None:
        """Begin the request; one that asks for an upgrade is begun by `feed`, without that header."""
        self._wants_upgrade = self.parser.should_upgrade()
        if not self._wants_upgrade:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the request, unless it asked for an upgrade: the parser then calls it ended before its body has come."""
        if not self._wants_upgrade:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what has waited, when it is its turn."""
        if self.pipeline or self._rest:
            self._is_in_line = True
            self._line.join(self.loop, self._go_on)
        else:
            super().on_response_complete()

    def _go_on(self) -> None:
        self._is_in_line = False
        super().on_response_complete()
        if not self._rest or self.pipeline or self.transport.is_closing():
            return
        self.data_received(b"")
        if not self._rest and not self.pipeline and not self.transport.is_closing():
            self.flow.resume_reading()

    def _begin_without_upgrade(self) -> None:
        """Take the request for one without the header; Java's HttpClient and curl send it by default (Upgrade: h2c)."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [method + b" " + self.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.feed(b"\r\n".join(lines) + b"\r\n\r\n")


class _Flow(FlowControl):
    """Lets nobody resume reading while there are bytes that wait to be parsed."""

    is_held = False

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()
