"""The processes that are measured, each as it runs in production, and the programs that load them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import monotonic
from typing import Any

import requests

from bench.pace import Pace
from bench.payload import PASSWORD, QUEUE, SECRET_KEY, USER
from bench.replays import Ledger, Replay
from deploy.local.ports import pick
from deploy.local.process import Child
from deploy.local.ready import http_answers, wait_until

START_SECONDS = 30.0
REPLAY_SECONDS = 300.0
STOP_SECONDS = 10.0
PROGRAM_SECONDS = 300.0


class BenchError(Exception):
    """A process did not do its part; the text says which, and shows the end of its output."""


class Stack:
    """A gateway and a sink that run all the time, and a relay that runs when asked."""

    def __init__(self, amqp_url: str, folder: Path) -> None:
        """Plan them on the broker at `amqp_url`; logs go to `folder`."""
        self.amqp_url = amqp_url
        self._folder = folder
        self.gateway_port = pick()
        self._sink_port = pick([self.gateway_port])
        self.callback_url = f"http://127.0.0.1:{self._sink_port}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("XQUEUE_")}
        self._env = inherited | {
            "XQUEUE_AMQP_URL": amqp_url,
            "XQUEUE_PORT": str(self.gateway_port),
            "XQUEUE_SECRET_KEY": SECRET_KEY,
            "XQUEUE_USERS": json.dumps({USER: PASSWORD}),
            "XQUEUE_XQUEUES": json.dumps({QUEUE: None}),
            "XQUEUE_UPLOAD_PATH": str(folder / "uploads"),
        }

    def declare(self) -> None:
        """Declare the topology."""
        self._program("broker_setup", "declare")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Declare the topology, run gateway and sink for as long as the block runs."""
        self.declare()
        with ExitStack() as started:
            started.enter_context(self._child("sink", "bench.sink", str(self._sink_port)))
            gateway = started.enter_context(self._child("gateway", "gateway"))
            self._wait_ready(gateway, START_SECONDS)
            yield

    def replay(self, ledger: Ledger) -> Replay:
        """Fill the ledger of this stack's virtual host, start a gateway and wait until it has replayed it."""
        self.declare()
        self._program("bench.ledger", ledger.kind, str(ledger.submissions))
        began = monotonic()
        with self._child("gateway", "gateway") as gateway:
            self._wait_ready(gateway, REPLAY_SECONDS)
            return Replay(ledger, monotonic() - began, _mebibytes(gateway.pid))

    @contextmanager
    def relay(self) -> Iterator[None]:
        """Run a relay for as long as the block runs."""
        with self._child("relay", "callback_relay"):
            yield

    def measure(self, module: str, *arguments: object) -> Pace:
        """Run a program of the bench and return its pace."""
        return Pace.from_json(self._program(module, *map(str, arguments)))

    def sink(self, path: str = "") -> dict[str, Any]:
        """Ask the sink what came, or with `reset` let it forget."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{self.callback_url}/{path}", timeout=10)
        counted: dict[str, Any] = {} if path else answer.json()
        return counted

    def _wait_ready(self, gateway: Child, seconds: float) -> None:
        ready = f"http://127.0.0.1:{self.gateway_port}/readyz"
        if not wait_until(lambda: http_answers(ready) or gateway.pid is None, seconds) or gateway.pid is None:
            raise BenchError(f"the gateway did not come up:\n{_end_of(gateway.log.read_text())}")

    @contextmanager
    def _child(self, name: str, module: str, *arguments: str) -> Iterator[Child]:
        child = Child(name, self._folder / f"{name}.log", self._folder / f"{name}.pid", marker=module)
        child.start([sys.executable, "-m", module, *arguments], self._env)
        try:
            yield child
        finally:
            child.stop(STOP_SECONDS)

    def _program(self, module: str, *arguments: str) -> str:
        ended = subprocess.run(
            [sys.executable, "-m", module, *arguments],
            env=self._env,
            capture_output=True,
            text=True,
            timeout=PROGRAM_SECONDS,
            check=False,
        )
        if ended.returncode:
            raise BenchError(f"{module} {' '.join(arguments)} failed:\n{_end_of(ended.stderr)}")
        return ended.stdout


def _mebibytes(pid: int | None) -> float:
    resident = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return resident * os.sysconf("SC_PAGE_SIZE") / 1024**2


def _end_of(output: str) -> str:
    return "\n".join(output.splitlines()[-15:])
