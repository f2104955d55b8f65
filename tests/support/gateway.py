"""A real gateway process for a test, with a virtual host of its own, and the HTTP clients that use it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any, Self

import requests

from broker_setup.operator.setup.declare import declare
from broker_setup.topology import topology
from tests.support.ports import free_port
from tests.support.warm_start import PROGRAMS, WarmProcess

SECRET_KEY = "5be1c07f3a924d68b07d1e9c42af8365"
USERS = {"lms": "the LMS's password", "grader": "the grader's password"}
RETRY_DELAYS = (0.1, 0.3)
START_SECONDS = 90.0

# For what comes within milliseconds: a busy machine may take its time, and a test should not fail for that. Polls wait
# as long, so it is below MAX_WAIT.
PATIENCE_SECONDS = 45.0
# Every call has its answer within 3 s, refusals after 2.5 s by design; the rest is for a busy machine.
ANSWER_SECONDS = 5.0

_numbers = count(1)


@dataclass
class Gateway:
    """One gateway process on a port of its own; kill it and start it again as often as needed."""

    amqp_url: str
    folder: Path
    queues: Mapping[str, str | None] = field(default_factory=lambda: {"openedx": None, "other": None})
    settings: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    program: str = "gateway"
    code: Path | None = None  # a folder with another version of the programs; None: this one
    cold: bool = False  # whether it is started as in production, and has no memory but its own
    process: subprocess.Popen[bytes] | WarmProcess | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return (self.folder / f"gateway-{self.port}.log").read_text()

    def start(self, *, until: str = "/readyz", within: float = START_SECONDS) -> None:
        """Start it and wait until it answers `until` with 200."""
        env = {key: value for key, value in os.environ.items() if not key.startswith("XQUEUE_")}
        env |= {
            "XQUEUE_AMQP_URL": self.amqp_url,
            "XQUEUE_SECRET_KEY": SECRET_KEY,
            "XQUEUE_USERS": json.dumps(USERS),
            "XQUEUE_XQUEUES": json.dumps(self.queues),
            "XQUEUE_PORT": str(self.port),
            "XQUEUE_UPLOAD_PATH": str(self.folder / "uploads"),
            "XQUEUE_NOTICE_GRACE": "0",
            **self.settings,
        }
        log = self.folder / f"gateway-{self.port}.log"
        if self.cold or self.program not in PROGRAMS:
            with log.open("ab") as output:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", self.program], env=env, stdout=output, stderr=output, cwd=self.code
                )
        else:
            self.process = WarmProcess(self.program, [], env, [Path(os.devnull), log, log], code=self.code)
        wait_until(lambda: self._answers(until), within, "the gateway did not become ready")

    def kill(self) -> None:
        """SIGKILL, as a crash would."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM, and wait until it is gone."""
        self._end(signal.SIGTERM)

    def freeze(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def _end(self, how: signal.Signals) -> None:
        if self.process:
            self.process.send_signal(how)
            self.process.wait(60)
            self.process = None

    def _answers(self, path: str) -> bool:
        assert self.process
        if self.process.poll() is not None:
            raise AssertionError(f"the gateway ended by itself:\n{self.log}")
        try:
            return requests.get(f"{self.url}{path}", timeout=5).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False


class Client:
    """Speaks the legacy API over one session, as the LMS and the graders do; logged in with Basic auth at choice."""

    def __init__(self, url: str, user: str = "lms", *, basic: bool = True) -> None:
        self.url = f"{url}/xqueue/"
        self.session = requests.Session()
        self.session.trust_env = False
        if basic:
            self.session.auth = (user, USERS[user])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.session.close()

    def raw(self, method: str, call: str, **options: Any) -> requests.Response:
        options.setdefault("allow_redirects", False)
        options.setdefault("timeout", PATIENCE_SECONDS + 15)
        return self.session.request(method, self.url + call, **options)

    def call(self, method: str, call: str, **options: Any) -> tuple[int, Any]:
        """Make a call; return return_code and content."""
        answer = self.raw(method, call, **options)
        assert answer.headers["content-type"] == "text/html; charset=utf-8", answer.text
        envelope = answer.json()
        assert set(envelope) == {"return_code", "content"}
        return envelope["return_code"], envelope["content"]

    def login(self, user: str = "lms", password: str | None = None) -> tuple[int, Any]:
        return self.call("POST", "login/", data={"username": user, "password": password or USERS[user]})

    def submit(self, lms_header: str, body: str, **options: Any) -> tuple[int, Any]:
        return self.call("POST", "submit/", data={"xqueue_header": lms_header, "xqueue_body": body}, **options)

    def get(self, queue: str = "openedx", **parameters: Any) -> dict[str, Any] | None:
        """Take a submission: xqueue_header as the string that came, body, files parsed; None if there was none."""
        code, content = self.call("GET", "get_submission/", params={"queue_name": queue, **parameters})
        if code == 1:
            assert content == f"Queue '{queue}' is empty", content
            return None
        submission: dict[str, Any] = json.loads(content)
        assert set(submission) == {"xqueue_header", "xqueue_body", "xqueue_files"}
        submission["xqueue_files"] = json.loads(submission["xqueue_files"])
        return submission

    def get_one(self, queue: str = "openedx") -> dict[str, Any]:
        """Take a submission that is there: a poll that doesn't wait may be answered before its delivery comes."""
        taken = self.get(queue, wait=PATIENCE_SECONDS)
        assert taken, f"nothing came from {queue} in {PATIENCE_SECONDS} s"
        return taken

    def get_all(self, count: int, queue: str = "openedx") -> list[dict[str, Any]]:
        """Take `count` submissions that are there, and see that there are no more."""
        taken = [self.get_one(queue) for _ in range(count)]
        more = self.get(queue, wait=1)
        assert more is None, more
        return taken

    def put(self, xqueue_header: str, reply: str) -> tuple[int, Any]:
        return self.call("POST", "put_result/", data={"xqueue_header": xqueue_header, "xqueue_body": reply})

    def queuelen(self, queue: str = "openedx") -> int:
        code, content = self.call("GET", "get_queuelen/", params={"queue_name": queue})
        assert code == 0, content
        assert isinstance(content, int)
        return content

    def wait_queuelen(self, count: int, queue: str = "openedx") -> None:
        """Wait until that many wait: what is on its way to the gateway is counted neither there nor in the broker."""
        wait_until(lambda: self.queuelen(queue) == count, PATIENCE_SECONDS, f"{queue} does not come to hold {count}")


def lms_header(callback_url: str = "", key: str = "key", queue: str = "openedx") -> str:
    """Make the LMS's header; unless one is given, with a callback URL of its own, which supersedes nothing."""
    url = callback_url or f"http://127.0.0.1:1/callback/{next(_numbers)}"
    return json.dumps({"lms_callback_url": url, "lms_key": key, "queue_name": queue})


@contextlib.contextmanager
def running_gateway(amqp_url: str, folder: Path, **options: Any) -> Iterator[Gateway]:
    """Declare the topology and run a gateway for as long as the block runs."""
    gateway = Gateway(amqp_url, folder, **options)
    declare(amqp_url, topology(gateway.queues, RETRY_DELAYS))
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.stop()


def seconds_taken(call: Callable[[], object], *, below: float, tries: int = 5) -> float:
    """Make a call again and again until one takes less than `below` seconds, and return what the quickest took.

    A machine that stands still for a moment makes one call slow, code that is slow makes all of them slow.
    """
    quickest = float("inf")
    for _ in range(tries):
        start = monotonic()
        call()
        quickest = min(quickest, monotonic() - start)
        if quickest < below:
            break
    return quickest


def wait_until(holds: Callable[[], Any], seconds: float, otherwise: str) -> Any:
    """Return the first true value of `holds()`; fail with the sentence `otherwise` after `seconds`."""
    value = comes_true(holds, seconds)
    assert value, otherwise
    return value


def comes_true(holds: Callable[[], Any], seconds: float) -> Any:
    """Return the first true value of `holds()`, or what it is after `seconds`."""
    deadline = monotonic() + seconds
    while not (value := holds()) and monotonic() < deadline:
        sleep(0.05)
    return value
