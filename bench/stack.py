"""The processes that are measured, each as it runs in production, and the programs that load them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import requests

from bench.cpu import Meter
from bench.pace import Pace
from bench.payload import PASSWORD, QUEUE, SECRET_KEY, USER
from deploy.local.ports import pick
from deploy.local.process import Child
from deploy.local.ready import http_answers, wait_until

READY_SECONDS = 300.0  # a ledger of a million is replayed first
STOP_SECONDS = 10.0
WORKER_READY = ") is ready"  # as a gateway says of each of its workers
PROGRAM_SECONDS = 1200.0  # a backlog of a million is made in minutes


class BenchError(Exception):
    """A process did not do its part; the text says which, and shows the end of its output."""


class Stack:
    """Gateways and a sink that run all the time, and a relay that runs when asked."""

    def __init__(
        self,
        amqp_url: str,
        folder: Path,
        *,
        gateways: int = 1,
        workers: int = 1,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """Plan them on the broker at `amqp_url`, with these settings; logs go to `folder`."""
        self.amqp_url = amqp_url
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self.gateway_ports: list[int] = []
        for _ in range(gateways):
            self.gateway_ports.append(pick(self.gateway_ports))
        self._sink_port = pick(self.gateway_ports)
        self._gateways: list[Child] = []
        self._workers = workers
        self.callback_url = f"http://127.0.0.1:{self._sink_port}"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("XQUEUE_")}
        self._env = inherited | {
            "XQUEUE_AMQP_URL": amqp_url,
            "XQUEUE_SECRET_KEY": SECRET_KEY,
            "XQUEUE_USERS": json.dumps({USER: PASSWORD}),
            "XQUEUE_XQUEUES": json.dumps({QUEUE: None}),
            "XQUEUE_UPLOAD_PATH": str(folder / "uploads"),
            "XQUEUE_WORKERS": str(workers),
            **(settings or {}),
        }

    @property
    def gateway_port(self) -> int:
        """The port of the first gateway."""
        return self.gateway_ports[0]

    def declare(self) -> None:
        """Declare the topology."""
        self.program("broker_setup", "declare")

    @contextmanager
    def running(self) -> Iterator[None]:
        """Declare the topology, run gateways and sink for as long as the block runs."""
        self.declare()
        with ExitStack() as started:
            started.enter_context(self._child("sink", "bench.sink", str(self._sink_port)))
            started.enter_context(self.gateways())
            yield

    @contextmanager
    def gateways(self) -> Iterator[None]:
        """Run the gateways for as long as the block runs; they are ready when it begins."""
        with ExitStack() as started:
            for port in self.gateway_ports:
                named = self._child(f"gateway-{port}", "gateway", XQUEUE_PORT=str(port))
                self._gateways.append(started.enter_context(named))
            started.callback(self._gateways.clear)
            for gateway, port in zip(self._gateways, self.gateway_ports, strict=True):
                self._wait_ready(gateway, port)
            yield

    def mebibytes(self) -> float:
        """Return the memory that the gateways have."""
        return sum(_mebibytes(gateway.pid) for gateway in self._gateways)

    @contextmanager
    def relay(self) -> Iterator[Meter]:
        """Run a relay for as long as the block runs; yield what reads its CPU time."""
        with self._child("relay", "callback_relay") as relay:
            yield _meter(relay)

    @contextmanager
    def beside(self, module: str, *arguments: object) -> Iterator[None]:
        """Run a program of the bench for as long as the block runs, which begins when it says that it is ready."""
        (self._folder / f"{module}.log").unlink(missing_ok=True)  # what an earlier one has said is not said by this one
        with self._child(module, module, *map(str, arguments)) as child:
            if not wait_until(lambda: "ready" in child.log.read_text(), READY_SECONDS) or child.pid is None:
                raise BenchError(f"{module} did not begin:\n{_end_of(child.log.read_text())}")
            yield

    def measure(self, module: str, *arguments: object) -> Pace:
        """Run a program of the bench and return its pace."""
        return Pace.from_json(self.program(module, *map(str, arguments)))

    def measure_gateways(self, count: int, module: str, *arguments: object) -> Pace:
        """Run a program that has `count` requests made; return its pace, with the gateways' CPU time."""
        meters = [_meter(gateway) for gateway in self._gateways]
        before = sum(meter.at_rest() for meter in meters)
        pace = self.measure(module, *arguments)
        used = sum(meter.at_rest() for meter in meters) - before
        return replace(pace, cpu=1e6 * used / count)

    def sink(self, path: str = "") -> dict[str, Any]:
        """Ask the sink what came, or with `reset` let it forget."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(f"{self.callback_url}/{path}", timeout=10)
        counted: dict[str, Any] = {} if path else answer.json()
        return counted

    def _wait_ready(self, gateway: Child, port: int) -> None:
        url = f"http://127.0.0.1:{port}/readyz"

        def ready() -> bool:
            # One of several workers answers while others still start, and take of the machine what would be missed.
            started = self._workers == 1 or gateway.log.read_text().count(WORKER_READY) >= self._workers
            return started and http_answers(url)

        if not wait_until(lambda: ready() or gateway.pid is None, READY_SECONDS) or gateway.pid is None:
            raise BenchError(f"the gateway did not come up:\n{_end_of(gateway.log.read_text())}")

    @contextmanager
    def _child(self, name: str, module: str, *arguments: str, **settings: str) -> Iterator[Child]:
        child = Child(name, self._folder / f"{name}.log", self._folder / f"{name}.pid", marker=module)
        child.start([sys.executable, "-m", module, *arguments], self._env | settings)
        try:
            yield child
        finally:
            child.stop(STOP_SECONDS)

    def program(self, module: str, *arguments: str) -> str:
        """Run a program with this stack's settings, and return what it prints."""
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


def _meter(child: Child) -> Meter:
    if child.pid is None:
        raise BenchError(f"{child.name} has ended:\n{_end_of(child.log.read_text())}")
    return Meter(child.pid)


def _mebibytes(pid: int | None) -> float:
    resident = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    return resident * os.sysconf("SC_PAGE_SIZE") / 1024**2


def _end_of(output: str) -> str:
    return "\n".join(output.splitlines()[-15:])
