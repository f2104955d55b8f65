"""`make up` as a person or a script runs it, in a data folder of a test's own."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from tests.support.broker import CACHE
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
# Its own deadlines for a stop add up to 15 s, and a busy machine may take three times as long.
STOP_SECONDS = 45
READY_SECONDS = 200
USERS = {"course": "a password of a test"}
# A stack's processes have ports of their own right below the gateways'.
PORTS_BELOW = 4


class MakeUp:
    """One `make up` in a data folder."""

    def __init__(self, data: Path, **variables: str) -> None:
        self._errors = (data.parent / f"{data.name}.stderr").open("ab+")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("XQUEUE_", "MAKE"))}
        self.process = subprocess.Popen(
            ["make", "up", f"PYTHON={sys.executable}"],
            cwd=ROOT,
            env=inherited
            # Another test's stack would take the usual ports while a process of this one is started again.
            | {"XQUEUE_PORT": str(free_port(PORTS_BELOW)), "XQUEUE_CONSOLE_PORT": str(free_port(1) - 1)}
            | {"XQUEUE_DATA_DIR": str(data), "XQUEUE_CACHE_DIR": str(CACHE), "XQUEUE_USERS": json.dumps(USERS)}
            | variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            start_new_session=True,  # its own process group, to send Ctrl-C to
        )
        self.lines: list[str] = []

    def wait_ready(self) -> str:
        """Return the URL of the `ready:` line; all lines up to it are in self.lines."""
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if line.startswith("ready: "):
                return line.split()[1]
        raise AssertionError(f"it ended with {self.process.wait()}:\n{self.lines}\n{self.errors()}")

    def errors(self) -> str:
        self._errors.seek(0)
        return self._errors.read().decode()

    def stop(self, number: signal.Signals = signal.SIGTERM, *, group: bool = False) -> None:
        """Send the signal as `kill`, or as Ctrl-C does, and see everything gone in time."""
        began = time.monotonic()
        (os.killpg if group else os.kill)(self.process.pid, number)
        self.process.wait(STOP_SECONDS)
        assert time.monotonic() - began < STOP_SECONDS

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(2 * STOP_SECONDS)
        assert self.process.stdout
        self.process.stdout.close()
        self._errors.close()


@contextlib.contextmanager
def make_up(data: Path, **variables: str) -> Iterator[MakeUp]:
    command = MakeUp(data, **variables)
    try:
        yield command
    finally:
        command.close()
