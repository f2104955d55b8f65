"""LMSs that open a connection for each call, or keep one, and note what went wrong: for ports that change hands."""

import base64
import http.client
import json
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urlencode

from tests.support.gateway import USERS, lms_header

AT_ONCE = 4
PAUSE_SECONDS = 0.05


@dataclass
class NewConnections:
    """Submits to one queue; `wrong` has what broke, or was answered other than 0 or 503."""

    port: int
    queue: str
    tls: ssl.SSLContext | None = None
    at_once: int = AT_ONCE
    pause: float = 0.0  # seconds between one client's submits
    taken: int = 0
    # Answered 503, as a broker that is slow makes a gateway do.
    put_off: int = 0
    wrong: list[Exception | str] = field(default_factory=list)
    # What /readyz said where it was not 200; asked as often.
    unready: list[str] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def submitting(self) -> Iterator[None]:
        """Submit for as long as the block runs, with `at_once` clients."""
        clients = [threading.Thread(target=self._submit) for _ in range(self.at_once)]
        for client in clients:
            client.start()
        try:
            yield
        finally:
            self._stop.set()
            for client in clients:
                client.join()

    def _submit(self) -> None:
        headers = {"Content-Type": "application/x-www-form-urlencoded", **login_header()}
        while not self._stop.wait(self.pause):
            form = urlencode({"xqueue_header": lms_header(queue=self.queue), "xqueue_body": "work"})
            try:
                status, answer = self._ask("POST", "/xqueue/submit/", form, headers)
                ready, said = self._ask("GET", "/readyz")
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.wrong.append(error)
                continue
            taken, put_off = (
                status == HTTPStatus.OK and json.loads(answer)["return_code"] == 0,
                status == HTTPStatus.SERVICE_UNAVAILABLE,
            )
            with self._lock:
                self.taken += taken
                self.put_off += put_off
                self.wrong += [] if taken or put_off else [answer]
                self.unready += [] if ready == HTTPStatus.OK else [said]

    def _ask(self, method: str, path: str, body: str = "", headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        with closing(_connection(self.port, self.tls)) as connection:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


@dataclass
class KeptConnection:
    """Polls an empty queue again and again on one connection, until an answer says that it closes; then on another."""

    port: int
    queue: str
    asked: int = 0
    told_to_close: int = 0
    wrong: list[Exception] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Ask for as long as the block runs."""
        client = threading.Thread(target=self._ask)
        client.start()
        try:
            yield
        finally:
            self._stop.set()
            client.join()

    def _ask(self) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            while not self._stop.wait(PAUSE_SECONDS):
                try:
                    connection.request(
                        "GET", f"/xqueue/get_submission/?queue_name={self.queue}", headers=login_header()
                    )
                    answer = connection.getresponse()
                    answer.read()
                except (OSError, http.client.HTTPException) as error:
                    self.wrong.append(error)
                    connection.close()
                    continue
                self.asked += 1
                # http.client then closes, and opens another for the next.
                self.told_to_close += answer.getheader("connection") == "close"


def _connection(port: int, tls: ssl.SSLContext | None) -> http.client.HTTPConnection:
    if tls:
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=60, context=tls)
    return http.client.HTTPConnection("127.0.0.1", port, timeout=60)


def login_header() -> dict[str, str]:
    login = f"lms:{USERS['lms']}".encode()
    return {"Authorization": f"Basic {base64.b64encode(login).decode()}"}
