"""How the bytes of a connection become requests: no upgrade is ever made, and pipelined requests wait as bytes."""

from asyncio import Transport
from typing import Any

import httptools
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# So much is parsed before it is noticed that a request stands behind another: at most some 200 of them, 2 KB each.
PIECE_BYTES = 4096


class OneByOne(HttpToolsProtocol):
    """uvicorn's, which makes objects of all requests that come at once, and drops the body of an upgrade."""

    flow: "_Flow"

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # What came behind requests that stand in line, unparsed.
        self._rest = b""
        self._wants_upgrade = False

    @property
    def has_unparsed(self) -> bool:
        """Whether requests may have come that nobody has looked at yet."""
        return bool(self._rest)

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin, without reading more while there is enough to do."""
        super().connection_made(transport)
        self.flow = _Flow(transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came, up to a request that has to wait for the one before."""
        self._unset_keepalive_if_required()
        data = self._rest + data
        self._rest, self.flow.is_held = b"", False
        for start in range(0, len(data), PIECE_BYTES):
            if self.pipeline:
                self._rest, self.flow.is_held = data[start:], True
                self.flow.pause_reading()
                return
            self.feed(data[start : start + PIECE_BYTES])
            if self.transport.is_closing():
                return

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
        """Begin the request, unless its sender would rather speak something else: its head is taken for another one."""
        self._wants_upgrade = self.parser.should_upgrade()
        if not self._wants_upgrade:
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """End the request, unless it has not begun: the parser believes that what follows is in another protocol."""
        if not self._wants_upgrade:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """Go on with what has waited."""
        super().on_response_complete()
        if self._rest:
            self.loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        if self.pipeline or self.transport.is_closing():
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
    """Reads no more, whoever asks for it, while there are bytes that wait for their turn."""

    is_held = False

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()
