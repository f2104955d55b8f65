"""A child process with its own session, log and pid file, that does not outlive its parent."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from math import inf
from pathlib import Path

from deploy.local.endings import ended, exit_code, send

LEASH = Path(__file__).with_name("leash.py")
LOG_BYTES = 20_000_000  # a log larger than this is put aside; of each process there are two
LEFTOVER_GRACE = 15.0  # seconds; a node with much to write takes 5 to 8


class Child:
    """One process that we start, watch and stop.

    Start it in a thread that lives as long as it should: on Linux a child on the leash ends with its parent's thread.
    """

    def __init__(self, name: str, log: Path, pid_file: Path, *, marker: str) -> None:
        """Prepare a child; the marker is a word of its command line that no other process has."""
        self.name = name
        self.log = log
        self._pid_file = pid_file
        self._marker = marker
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self._process.pid if self._process and exit_code(self._process) is None else None

    @property
    def returncode(self) -> int | None:
        """What it ended with; None while it runs or before its first start."""
        return exit_code(self._process) if self._process else None

    def start(self, command: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> None:
        """Start the command; its output goes to the log."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LEASH), str(os.getpid()), *command],
                env=env,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal is for the stack, which stops its children in order
            )
        self._pid_file.write_text(str(self._process.pid))

    def put_log_aside(self, most: int = LOG_BYTES) -> None:
        """Empty a log that is too large, and keep what was in it as the one before.

        The process appends, and goes on: a line that it writes in this very moment may be lost.
        """
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size > most:
                shutil.copyfile(self.log, self.log.with_suffix(".old.log"))
                os.truncate(self.log, 0)

    def ask_to_stop(self) -> None:
        """Send SIGTERM; wait() tells when it has gone."""
        if self._process:
            send(self._process, signal.SIGTERM)

    def wait(self, seconds: float) -> bool:
        """Wait for its end; tell whether it came in time."""
        if self._process is None:
            return True
        if not ended(self._process, seconds):
            return False
        self._pid_file.unlink(missing_ok=True)
        return True

    def stop(self, seconds: float) -> None:
        """SIGTERM, and SIGKILL where it has not gone by then."""
        self.ask_to_stop()
        if not self.wait(seconds):
            self.kill()

    def kill(self) -> None:
        """SIGKILL; returns when it is gone."""
        if self._process is not None:
            send(self._process, signal.SIGKILL)
            self.wait(inf)

    def stop_leftover(self) -> bool:
        """Stop what an earlier stack left running under this pid file; tell whether there was something."""
        try:
            pid = int(self._pid_file.read_text())
        except (OSError, ValueError):
            return False
        if not is_ours(pid, self._marker):
            self._pid_file.unlink(missing_ok=True)
            return False
        for word, patience in ((signal.SIGTERM, LEFTOVER_GRACE), (signal.SIGKILL, LEFTOVER_GRACE)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, word)
            deadline = time.monotonic() + patience
            while is_ours(pid, self._marker) and time.monotonic() < deadline:
                time.sleep(0.05)
        self._pid_file.unlink(missing_ok=True)
        return True


def is_ours(pid: int, marker: str) -> bool:
    """Tell whether a process runs under this id with the marker on its command line: ids are used again."""
    return marker in _command_line(pid)


def _command_line(pid: int) -> list[str]:
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return (proc / str(pid) / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # gone, or somebody else's
            return []
    listing = subprocess.run(["ps", "-o", "args=", "-p", str(pid)], capture_output=True, text=True, check=False)
    return listing.stdout.split()
