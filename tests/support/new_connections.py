"""Clients that open a connection for each call, and note what went wrong with which: for ports that change hands."""

import base64
import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import urlencode

from tests.support.gateway import USERS, lms_header

AT_ONCE = 4


@dataclass
class NewConnections:
    """Submits to one queue until told to stop; `wrong` has an error or an answer for each that was not taken."""

    port: int
    queue: str
    taken: int = 0
    wrong: list[Exception | str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def submitting(self) -> Iterator[None]:
        """Submit for as long as the block runs, with AT_ONCE clients."""
        clients = [threading.Thread(target=self._submit) for _ in range(AT_ONCE)]
        for client in clients:
            client.start()
        try:
            yield
        finally:
            self._stop.set()
            for client in clients:
                client.join()

    def _submit(self) -> None:
        login = base64.b64encode(f"lms:{USERS['lms']}".encode()).decode()
        headers = {"Authorization": f"Basic {login}", "Content-Type": "application/x-www-form-urlencoded"}
        while not self._stop.is_set():
            form = urlencode({"xqueue_header": lms_header(queue=self.queue), "xqueue_body": "work"})
            connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
            wrong: Exception | str | None = None
            try:
                connection.request("POST", "/xqueue/submit/", form, headers)
                answer = connection.getresponse().read().decode()
                with suppress(ValueError):
                    wrong = None if json.loads(answer)["return_code"] == 0 else answer
            except (OSError, http.client.HTTPException) as error:
                wrong = error
            finally:
                connection.close()
            with self._lock:
                self.taken += wrong is None
                self.wrong += [] if wrong is None else [wrong]
