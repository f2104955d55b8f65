"""What a server, or a proxy in its place, can do to a grader that polls it: it is asked again, and costs no memory."""

import contextlib
import re
import socket
import threading
from collections.abc import Iterator

import pytest

from xqueue_grader.transports.over_http import session
from xqueue_grader.transports.over_http.address import Address
from xqueue_grader.transports.over_http.answers import UnavailableError
from xqueue_grader.transports.over_http.session import MAX_COOKIES, Session

OK = b"HTTP/1.1 200 OK\r\n"
LOGGED_IN = b'{"return_code": 0, "content": "Logged in"}'
ENDLESS = b"x" * 65536


def read_whole(connection: socket.socket) -> None:
    """Read a request to its end: who closes with some of it unread may cut off the answer."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += connection.recv(65536)
    head, _, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"(?i)content-length: (\d+)", head)
    while length and len(body) < int(length[1]):
        body += connection.recv(65536)


@contextlib.contextmanager
def answering(head: bytes, body: bytes, repeats: int = 1) -> Iterator[Session]:
    """Answer the third request and all after it with `head` and `body`; the first two are the login."""
    listening = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for number in range(100):
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection, contextlib.suppress(OSError):
                connection.settimeout(30)
                read_whole(connection)
                if number < 2:
                    connection.sendall(OK + b"Connection: close\r\n\r\n" + LOGGED_IN)
                    continue
                connection.sendall(head)
                for _ in range(repeats):
                    connection.sendall(body)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    asking = Session(Address(f"http://127.0.0.1:{listening.getsockname()[1]}/xqueue", "u", "p"), 2)
    try:
        yield asking
    finally:
        asking.cut_off()
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(30)


def test_an_answer_that_never_ends_is_read_no_further_than_its_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "MAX_ANSWER_BYTES", 1_000_000)
    head = OK + b"Content-Length: 10000000000\r\n\r\n"
    with (
        answering(head, ENDLESS, repeats=1000) as asking,
        pytest.raises(UnavailableError, match="more than 1000000 bytes"),
    ):
        asking.call("GET", "get_submission")


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"", b""),
        (b"nonsense\r\n\r\n", b""),
        (b"HTTP/1.1 999999 x\r\n\r\n", b""),
        (OK + b"Content-Length: 100\r\n\r\n", b"short"),
        (OK + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\n", b"short"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\n"),
        (OK + b"X: " + b"x" * 100_000 + b"\r\n\r\n", b""),
        (OK + b"X: x\r\n" * 1000 + b"\r\n", b""),
    ],
)
def test_what_is_no_answer_is_asked_for_again(head: bytes, body: bytes) -> None:
    with answering(head, body) as asking, pytest.raises(UnavailableError):
        asking.call("GET", "get_submission").read()


def test_no_more_cookies_are_kept_than_a_site_needs() -> None:
    cookies = b"".join(b"Set-Cookie: c%d=x\r\n" % number for number in range(90))
    with answering(OK + cookies + b"Connection: close\r\n\r\n", LOGGED_IN) as asking:
        asking.call("GET", "get_submission")
        assert len(asking._cookies) == MAX_COOKIES
