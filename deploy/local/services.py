"""Runs the gateways and the relay as child processes and starts again what ends."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from broker_setup.process.back_off import next_delay
from deploy.local.errors import BootError
from deploy.local.process import Child
from deploy.local.ready import http_answers, wait_until

READY_SECONDS = 30.0
STOP_SECONDS = 2.0  # each group; any of them may be killed at any time without loss, so there is no need to linger


@dataclass(frozen=True)
class Plan:
    """A process to run: a Python module of ours, with its settings."""

    name: str
    module: str
    env: Mapping[str, str]
    ready_url: str | None = None


class Service:
    """One process, kept running."""

    def __init__(self, plan: Plan, data: Path, marker: str) -> None:
        """Prepare it, and stop what an earlier stack may have left of it."""
        self.plan = plan
        self._marker = marker
        log = data / "logs" / f"{plan.name}.log"
        self.child = Child(plan.name, log, data / f"{plan.name}.pid", marker=f"xqueue={marker}")
        self._delay: float | None = None
        self._started = 0.0
        self._due: float | None = None

    def start(self) -> None:
        """Start it."""
        self._started = time.monotonic()
        self._due = None
        # -X takes any word: it marks the process as ours for a later stack that finds it left behind.
        command = [sys.executable, "-X", f"xqueue={self._marker}", "-m", self.plan.module]
        self.child.start(command, self.plan.env)

    def wait_ready(self) -> None:
        """Wait until it answers."""
        url = self.plan.ready_url
        if url is None:
            return
        wait_until(lambda: http_answers(url) or self.child.pid is None, READY_SECONDS)
        if self.child.pid is None or not http_answers(url):
            raise BootError(f"{self.plan.name} did not get ready. {self.last_words()}")

    def last_words(self) -> str:
        """Return the end of its log and where the rest is."""
        try:
            lines = self.child.log.read_text(errors="replace").strip().splitlines()[-3:]
        except OSError:
            lines = []
        return " | ".join(lines) + f" (all of it: {self.child.log})"

    def look_after(self, note: Callable[[str], None]) -> None:
        """Start it again, after a growing delay, where it has ended; keep its log from growing for ever."""
        self.child.put_log_aside()
        if self.child.pid is not None:
            return
        now = time.monotonic()
        if self._due is None:
            self._delay = next_delay(self._delay, now - self._started)
            self._due = now + self._delay
            note(
                f"{self.plan.name} ended with {self.child.returncode}; starting it again in {self._delay:.1f} s. "
                f"{self.last_words()}"
            )
        elif now >= self._due:
            self.start()


def stop_all(services: Sequence[Service]) -> None:
    """Stop them together."""
    for service in services:
        service.child.ask_to_stop()
    deadline = time.monotonic() + STOP_SECONDS
    for service in services:
        service.child.stop(max(0.0, deadline - time.monotonic()))
