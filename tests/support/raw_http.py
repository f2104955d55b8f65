"""HTTP by hand, for what no client library would send: slow bodies, hang-ups, broken bytes."""

import contextlib
import json
import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """An answer as it came; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def envelope(self) -> tuple[int, Any]:
        """return_code and content; fails where it is no envelope."""
        assert self.headers.get("content-type") == "text/html; charset=utf-8", self
        envelope = json.loads(self.body)
        assert set(envelope) == {"return_code", "content"}
        return envelope["return_code"], envelope["content"]


class Connection:
    """One TCP connection to a gateway."""

    def __init__(
        self, url: str, timeout: float = 30.0, receive_buffer: int = 0, tls: ssl.SSLContext | None = None
    ) -> None:
        address = urlsplit(url)
        self._host = address.netloc
        self._socket = socket.socket()
        self._socket.settimeout(timeout)
        if receive_buffer:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self._socket.connect((address.hostname, address.port))
        if tls:
            self._socket = tls.wrap_socket(self._socket, server_hostname=address.hostname)
        self.port = int(self._socket.getsockname()[1])
        self._received = b""

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def request(
        self,
        method: str,
        target: bytes | str,
        *,
        headers: Mapping[str, bytes | str] | None = None,
        body: bytes = b"",
        length: int | None = None,
    ) -> None:
        """Send a request's head and what there is of its body; `length` is what Content-Length says."""
        lines = [b" ".join([method.encode(), _bytes(target), b"HTTP/1.1"]), b"Host: " + self._host.encode()]
        lines += [name.encode() + b": " + _bytes(value) for name, value in (headers or {}).items()]
        if body or length is not None or method not in ("GET", "HEAD"):
            lines.append(b"Content-Length: %d" % (len(body) if length is None else length))
        self.send(b"\r\n".join(lines) + b"\r\n\r\n" + body)

    def answer(self, *, without_body: bool = False) -> Answer:
        """Read one answer."""
        while b"\r\n\r\n" not in self._received:
            self._receive()
        head, _, rest = self._received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        wanted = 0 if without_body else int(headers.get("content-length", "0"))
        self._received = rest
        while len(self._received) < wanted:
            self._receive()
        body, self._received = self._received[:wanted], self._received[wanted:]
        found = re.match(r"HTTP/1\.[01] (\d+)", status)
        assert found, status
        return Answer(int(found[1]), headers, body)

    def is_silent_for(self, seconds: float) -> bool:
        """Tell whether nothing comes for so long."""
        self._socket.settimeout(seconds)
        start = monotonic()
        try:
            self._receive()
        except TimeoutError:
            return monotonic() - start >= seconds * 0.9
        finally:
            self._socket.settimeout(30)
        return False

    def is_closed(self) -> bool:
        """Tell whether the gateway has closed its side; waits for that."""
        try:
            return not self._socket.recv(65536)
        except ConnectionError:
            return True

    def first_line_if_any(self) -> str:
        """Return the status line of an answer; empty where the gateway closed without a word."""
        with contextlib.suppress(ConnectionError):
            while b"\r\n" not in self._received:
                self._receive()
        return self._received.split(b"\r\n")[0].decode("latin-1")

    def close(self) -> None:
        self._socket.close()

    def _receive(self) -> None:
        chunk = self._socket.recv(65536)
        if not chunk:
            raise ConnectionError(f"the gateway closed the connection after {self._received!r}")
        self._received += chunk


@contextlib.contextmanager
def connection(url: str, tls: ssl.SSLContext | None = None) -> Iterator[Connection]:
    """Connect, and close at the end."""
    made = Connection(url, tls=tls)
    try:
        yield made
    finally:
        made.close()


def _bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
