"""One account's session at a server, for many threads: it logs in where it has to, and can be cut off at any moment."""

import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from http.cookies import CookieError, SimpleCookie
from threading import Lock
from typing import Any
from urllib.parse import urlencode, urlsplit

import urllib3
from urllib3.connection import HTTPConnection
from urllib3.exceptions import HTTPError

from xqueue_grader.common.failure_words import why_within
from xqueue_grader.transports.over_http.address import Address
from xqueue_grader.transports.over_http.answers import Answer, UnavailableError

CONNECT_SECONDS = 5.0
# Longer than what stands between gives a server: what is answered later was answered by nobody.
ANSWER_SECONDS = 70.0
# More than 100 submissions of the size that a form can have are never handed out at once.
MAX_ANSWER_BYTES = 256 * 1024 * 1024
MAX_COOKIES = 50

_CSRF = "csrftoken"


class LoginRefusedError(UnavailableError):
    """The server lets this account not in; that may be mended there."""


class Session:
    """Makes calls; each blocks until it is answered, or raises UnavailableError."""

    def __init__(self, address: Address, connections: int) -> None:
        """`connections` are kept open at most; nothing is opened yet. Raise ValueError for a CA file that is none."""
        self._address = address
        self._path = urlsplit(address.base).path
        self._opened: set[HTTPConnection] = set()
        self._pool = _pool_for(address, connections, self._opened)
        self._lock = Lock()
        self._cookies: dict[str, str] = {}
        self.logins = 0
        self._is_closed = False

    def call(
        self, method: str, name: str, *, query: Mapping[str, str] | None = None, form: Mapping[str, str] | None = None
    ) -> Answer:
        """Make a call, logged in; raise UnavailableError, also where the server lets nobody in."""
        seen = self.logins
        if not seen:
            self._log_in(seen)
        answer = self._send(method, name, query, form)
        if not answer.wants_login:
            return answer
        self._log_in(max(seen, 1))  # the login above is known not to be enough
        answer = self._send(method, name, query, form)
        if answer.wants_login:
            raise UnavailableError("it lets this account in, and then asks for a login again", may_be_done=False)
        return answer

    def cut_off(self) -> None:
        """End all that is under way, and whatever is begun after that."""
        self._is_closed = True
        for connection in list(self._opened):
            if sock := connection.sock:
                # Of the plain socket, in TLS too: whoever reads from it is another thread.
                with suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)
        self._pool.close()

    def _log_in(self, seen: int) -> None:
        with self._lock:
            if self.logins > seen:
                return  # another thread did, meanwhile
            self._send("GET", "login", None, None)  # for a CSRF token, where there is one
            form = {"username": self._address.user, "password": self._address.password}
            answer = self._send("POST", "login", None, form)
            if refusal := answer.read().refusal:
                raise LoginRefusedError(f"no login as {self._address.user!r}: {refusal}", may_be_done=False)
            self.logins += 1

    def _send(self, method: str, name: str, query: Mapping[str, str] | None, form: Mapping[str, str] | None) -> Answer:
        if self._is_closed:
            raise UnavailableError("we are stopping", may_be_done=False)
        path = f"{self._path}/{name}/" + (f"?{urlencode(query)}" if query else "")
        body = None if form is None else urlencode(form, errors="replace").encode()
        try:
            response = self._pool.request(
                method,
                path,
                body=body,
                headers=self._headers(body),
                redirect=False,
                retries=False,
                preload_content=False,
            )
            read = response.read(MAX_ANSWER_BYTES + 1)
        except (HTTPError, OSError, ValueError) as error:
            raise UnavailableError(why_within(error) or f"the call failed: {type(error).__name__}") from error
        if len(read) > MAX_ANSWER_BYTES:
            response.close()
            raise UnavailableError(f"its answer has more than {MAX_ANSWER_BYTES} bytes")
        self._keep_cookies(response.headers.getlist("set-cookie"))
        return Answer(response.status, {name.lower(): value for name, value in response.headers.items()}, read)

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": "xqueue-grader"}
        cookies = dict(self._cookies)
        if cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            if token := cookies.get(_CSRF):
                headers |= {"X-CSRFToken": token, "Referer": f"{self._address.base}/"}
        return headers

    def _keep_cookies(self, lines: list[str]) -> None:
        for line in lines:
            with suppress(CookieError):
                for name, cookie in SimpleCookie(line).items():
                    kept = {each: value for each, value in self._cookies.items() if each != name}
                    is_over = cookie["max-age"] == "0" or not cookie.value
                    if not is_over and len(kept) < MAX_COOKIES:
                        kept[name] = cookie.coded_value
                    self._cookies = kept  # a new one: other threads read it


def _pool_for(address: Address, connections: int, opened: set[HTTPConnection]) -> urllib3.HTTPConnectionPool:
    parts = urlsplit(address.base)
    options: dict[str, Any] = {
        "port": parts.port,
        "maxsize": connections,
        "timeout": urllib3.Timeout(connect=CONNECT_SECONDS, read=ANSWER_SECONDS),
    }
    assert parts.hostname
    pool: urllib3.HTTPConnectionPool
    if parts.scheme == "https":
        try:
            context = ssl.create_default_context(cafile=address.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise ValueError(f"the authorities in {address.ca_file} can't be read: {why_within(error)}") from None
        pool = urllib3.HTTPSConnectionPool(parts.hostname, ssl_context=context, **options)
    else:
        pool = urllib3.HTTPConnectionPool(parts.hostname, **options)
    pool.ConnectionCls = _remembered(pool.ConnectionCls, opened)
    return pool


def _remembered(kind: Any, opened: set[HTTPConnection]) -> Any:
    """Make a kind of connection that is found while it is open."""

    class Remembered(kind):  # type: ignore[misc] # which kind, the pool knows
        def connect(self) -> None:
            super().connect()
            opened.add(self)

        def close(self) -> None:
            opened.discard(self)
            super().close()

    return Remembered
