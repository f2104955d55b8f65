"""A sandbox's HTTP: sessions, forms, and bytes in and out; on loopback alone."""

import json
import secrets
import select
import socket
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from xqueue_grader.sandbox.calls import Call, Calls, Reply, refused
from xqueue_grader.sandbox.kinds import Kind
from xqueue_grader.sandbox.trouble import Trouble, Troubles

LOOPBACK = "127.0.0.1"
MAX_BODY_BYTES = 32 * 1024 * 1024
MAX_FIELDS = 1_000
# A test's own grader; one that says nothing for so long has gone.
IDLE_SECONDS = 120.0
RETRY_AFTER_SECONDS = 1
_UNAVAILABLE = "The queue is unavailable at the moment, please try again"


class SandboxServer(ThreadingHTTPServer):
    """Serves the calls of one sandbox; many threads use it."""

    daemon_threads = True
    allow_reuse_address = True
    # More than graders open at once.
    request_queue_size = 128

    def __init__(
        self, port: int, calls: Calls, kind: Kind, account: tuple[str, str], said: Callable[[str], None]
    ) -> None:
        """`said` is told a line for each call."""
        self.calls = calls
        self.kind = kind
        self.account = account
        self.said = said
        self.troubles = Troubles()
        self.sessions: set[str] = set()
        self.closing = False
        super().__init__((LOOPBACK, port), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is none; what else a handler raises is told."""
        self.said("a connection broke")


class _Handler(BaseHTTPRequestHandler):
    server: SandboxServer
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the library's
        """Say nothing: `said` is told."""

    def do_GET(self) -> None:
        """Answer a GET."""
        self._serve(b"")

    def do_POST(self) -> None:
        """Answer a POST, once its whole body is here."""
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            self._finish(HTTPStatus.LENGTH_REQUIRED, b"a Content-Length is needed")
        elif len(length) > 9 or int(length) > MAX_BODY_BYTES:  # noqa: PLR2004 - digits that no such size has
            self.close_connection = True
            self._finish(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, b"too large for a sandbox")
        else:
            self._serve(self.rfile.read(int(length)))

    def _serve(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        name = parts.path.removeprefix("/xqueue/").rstrip("/")
        try:
            query = dict(parse_qsl(parts.query, keep_blank_values=True, max_num_fields=MAX_FIELDS))
            form = dict(parse_qsl(body.decode(errors="replace"), keep_blank_values=True, max_num_fields=MAX_FIELDS))
        except ValueError:
            self._finish(HTTPStatus.BAD_REQUEST, b"more fields than a sandbox reads")
            return
        if not parts.path.startswith("/xqueue/") or not self._is_known(name):
            self.server.said(f"{self.command} {parts.path[:100]}: not found")
            self._finish(HTTPStatus.NOT_FOUND, b"<h1>Not Found</h1>", content_type="text/html")
            return
        call = Call(name, self.command, query, form)
        trouble = self.server.troubles.next(name)
        if trouble is Trouble.UNAVAILABLE:
            self.server.said(f"{name}: 503, as told")
            self._answer(Reply(1, _UNAVAILABLE, HTTPStatus.SERVICE_UNAVAILABLE), {"Retry-After": RETRY_AFTER_SECONDS})
            return
        if trouble is Trouble.ENDED_SESSION:
            self.server.sessions.discard(self._cookie("sessionid"))
        self._called(call, lost=trouble is Trouble.LOST_ANSWER)

    def _called(self, call: Call, *, lost: bool) -> None:
        if call.name == "login":
            self._log_in(call)
        elif call.name == "status":
            self._answer(Reply(0, "OK"))
        elif self._cookie("sessionid") not in self.server.sessions:
            self._send_to_login(call)
        elif self.server.kind.has_statuses and call.method == "POST" and not self._has_token():
            self._finish(HTTPStatus.FORBIDDEN, b"CSRF verification failed", content_type="text/html")
        else:
            answer = self.server.calls.answer(call, self._has_gone)
            if self._has_gone():
                self.close_connection = True
                return
            self.server.said(f"{call.name}: {'its answer is lost, as told' if lost else _in_brief(answer)}")
            if lost:
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
            else:
                self._answer(answer)

    def _is_known(self, name: str) -> bool:
        return name in {"login", "status"} or self.server.calls.knows(name)

    def _log_in(self, call: Call) -> None:
        if call.method != "POST":
            token = (
                {"Set-Cookie": f"csrftoken={secrets.token_hex(16)}; Path=/"} if self.server.kind.has_statuses else {}
            )
            self._answer(Reply(1, "login_required"), token)
        elif self.server.kind.has_statuses and not self._has_token():
            self._finish(HTTPStatus.FORBIDDEN, b"CSRF verification failed", content_type="text/html")
        elif not {"username", "password"} <= set(call.form):
            self._answer(refused("Insufficient login info"))
        elif (call.form["username"], call.form["password"]) != self.server.account:
            self.server.said("login: wrong credentials")
            self._answer(refused("Incorrect login credentials"))
        else:
            session = secrets.token_hex(16)
            self.server.sessions.add(session)
            self._answer(Reply(0, "Logged in"), {"Set-Cookie": f"sessionid={session}; HttpOnly; Path=/; SameSite=Lax"})

    def _send_to_login(self, call: Call) -> None:
        if self.server.kind.has_statuses:
            self._finish(HTTPStatus.FORBIDDEN, b'{"detail": "Authentication credentials were not provided."}')
        else:
            self._finish(
                HTTPStatus.FOUND, b"", headers={"Location": f"/xqueue/login/?next={quote(f'/xqueue/{call.name}/')}"}
            )

    def _has_token(self) -> bool:
        token = self._cookie("csrftoken")
        return bool(token) and self.headers.get("X-CSRFToken") == token and bool(self.headers.get("Referer"))

    def _cookie(self, name: str) -> str:
        try:
            found = SimpleCookie(self.headers.get("Cookie", "")).get(name)
        except CookieError:
            return ""
        return found.value if found else ""

    def _has_gone(self) -> bool:
        """Tell whether nobody waits for the answer any more."""
        if self.server.closing:
            return True
        readable, _, _ = select.select([self.connection], [], [], 0)
        try:
            return bool(readable) and not self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return True

    def _answer(self, reply: Reply, headers: dict[str, Any] | None = None) -> None:
        with_statuses = self.server.kind.has_statuses or reply.status is HTTPStatus.SERVICE_UNAVAILABLE
        body = json.dumps({"return_code": reply.code, "content": reply.content}).encode()
        content_type = "application/json" if self.server.kind.has_statuses else "text/html; charset=utf-8"
        self._finish(reply.status if with_statuses else HTTPStatus.OK, body, content_type=content_type, headers=headers)

    def _finish(
        self,
        status: HTTPStatus,
        body: bytes,
        *,
        content_type: str = "application/json",
        headers: dict[str, Any] | None = None,
    ) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": content_type, "Content-Length": len(body), **(headers or {})}.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(body)


def _in_brief(reply: Reply) -> str:
    if isinstance(reply.content, list):
        return f"{len(reply.content)} submissions"
    return "done" if reply.code == 0 else str(reply.content)
