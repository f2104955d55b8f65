"""Stands in for the LMS in the self-check: takes callbacks on a free port."""

import http.server
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import parse_qsl

from deploy.local.ports import LOOPBACK

Form = list[tuple[str, str]]


@dataclass(frozen=True)
class Callbacks:
    """Where callbacks are to go, and what has come."""

    url: str
    forms: "queue.SimpleQueue[Form]"

    def next(self, seconds: float) -> Form | None:
        """Return the next form; None if none comes within so many seconds."""
        try:
            return self.forms.get(timeout=max(0.0, seconds))
        except queue.Empty:
            return None


@contextmanager
def callback_server() -> Iterator[Callbacks]:
    """Answer every callback with 200 for as long as the block runs."""
    forms: queue.SimpleQueue[Form] = queue.SimpleQueue()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()
            forms.put(parse_qsl(body, keep_blank_values=True))

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer((LOOPBACK, 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield Callbacks(f"http://{LOOPBACK}:{server.server_address[1]}/score_update", forms)
        finally:
            server.shutdown()
            thread.join()
