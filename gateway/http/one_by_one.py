"""How the bytes of a connection become requests: in turn with others, and those that stand behind one wait as bytes.

No upgrade is ever made.
"""

from asyncio import AbstractEventLoop, Transport
from collections import deque
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from broker_setup.process.parsing_turns import ParsingTurns

# The parser gets this much at once, or a head to its end if that is near: only after it is it noticed that requests
# stand behind another. (In 4 KiB were 200, and a hundred connections that sent them at once held the event loop.)
PIECE_BYTES = 256
NEAR_BYTES = 1024
# Of a body whose length was said, as nothing else can be in there. Of one in chunks nobody knows where it ends.
BODY_PIECE_BYTES = 65_536
# Of both, at each call of a turn. Most requests are whole by then.
PIECES = 4
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

    def __init__(self, line: Line, turns: ParsingTurns, *args: Any, **options: Any) -> None:
        """Parse in turn with the other connections, and go on in line with them with what stood behind a request."""
        super().__init__(*args, **options)
        self._line = line
        self._is_in_line = False
        self._turns = turns
        self._has_turns = False
        # The unparsed bytes: pieces are cut from its front, which takes no time however long it is.
        self._rest = bytearray()
        # How many bytes are still to come of a body whose length was said.
        self._left = 0
        # How many bytes came of the request that is on.
        self._taken = 0
        self._wants_upgrade = False
        # By the loop's clock; None while something is asked.
        self._idle_since: float | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin, with a flow control that reads nothing more while bytes wait to be parsed."""
        super().connection_made(transport)
        self.flow = _Flow(transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came, as far as it is this connection's turn and no request has to wait for the one before."""
        self._rest += data
        self._take_turns()
        if self._rest:
            self.flow.hold()

    def _take_turns(self) -> None:
        if self._rest and not self._has_turns and not self._has_to_wait:
            self._has_turns = True
            # What begins a request goes before all else, and so does what costs little.
            is_first = self._left > 0 or self._taken < PIECES * PIECE_BYTES
            self._turns.begin(self.loop, self._parse_some, is_first=is_first)

    @property
    def _has_to_wait(self) -> bool:
        return bool(self.pipeline) or self._is_in_line

    def _parse_some(self) -> bool:
        """Parse some of what came; return whether there is more to be parsed now."""
        rest = self._rest
        for _ in range(PIECES):
            if not rest or self.pipeline or self._is_in_line or self.transport.is_closing():
                break
            self._idle_since = None
            size = min(self._left, BODY_PIECE_BYTES) or end_of_head(rest) or PIECE_BYTES
            piece = bytes(rest[:size])
            del rest[:size]
            self._taken += len(piece)
            self.feed(piece)
        if self.transport.is_closing():
            self._rest.clear()
        elif not self._rest:
            self.flow.let_go()
        self._has_turns = bool(self._rest) and not self._has_to_wait
        return self._has_turns

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
            # The parser has seen to it that it is a number, and said once.
            self._left = int(dict(self.headers).get(b"content-length", self._left))
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of the body in."""
        self._left = max(0, self._left - len(body))
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the request, unless it asked for an upgrade: the parser then calls it ended before its body has come."""
        self._taken = 0
        if not self._wants_upgrade:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what has waited, when it is its turn."""
        if self.pipeline or self._rest:
            self._is_in_line = True
            self._line.join(self.loop, self._go_on)
        else:
            self._end_request()

    def _go_on(self) -> None:
        self._is_in_line = False
        if self.pipeline:
            super().on_response_complete()
        else:
            self._end_request()
        if not self.transport.is_closing():
            self._take_turns()

    def _end_request(self) -> None:
        """Do what uvicorn does where no request waits, but for a timer that it sets and cancels with each of them."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        self._idle_since = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._close_when_idle(self.timeout_keep_alive)

    def _close_when_idle(self, after: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(after, self.timeout_keep_alive_handler)

    def timeout_keep_alive_handler(self) -> None:
        """Close if nothing was asked for so long; look again when that may be."""
        self.timeout_keep_alive_task = None
        if self._idle_since is None:
            return
        left = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left > 0:
            self._close_when_idle(left)
        else:
            super().timeout_keep_alive_handler()

    def _begin_without_upgrade(self) -> None:
        """Take the request for one without the header; Java's HttpClient and curl send it by default (Upgrade: h2c)."""
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        lines = [method + b" " + self.url + b" HTTP/" + version]
        lines += [name + b": " + value for name, value in self.headers if name != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.feed(b"\r\n".join(lines) + b"\r\n\r\n")


def end_of_head(rest: bytearray) -> int:
    """Say where the first empty line ends, whatever its sender ends lines with; 0 if that is not near."""
    bare, end = rest.find(b"\n\n", 0, NEAR_BYTES), rest.find(b"\n\r\n", 0, NEAR_BYTES)
    if bare >= 0 and (end < 0 or bare < end):
        return bare + 2
    return end + 3 if end >= 0 else 0


class _Flow(FlowControl):
    """Reads as long as the request has not enough of its body, and no bytes wait to be parsed."""

    def __init__(self, transport: Transport) -> None:
        super().__init__(transport)
        self._has_enough = self._is_held = False

    def pause_reading(self) -> None:
        self._has_enough = True
        self._settle()

    def resume_reading(self) -> None:
        if self._has_enough:
            self._has_enough = False
            self._settle()

    def hold(self) -> None:
        """Read nothing more: there is something to be parsed first."""
        self._is_held = True
        self._settle()

    def let_go(self) -> None:
        """Read on: all was parsed."""
        if self._is_held:
            self._is_held = False
            self._settle()

    def _settle(self) -> None:
        if self._has_enough or self._is_held:
            super().pause_reading()
        else:
            super().resume_reading()
