"""Runs a command that takes long: what it prints is kept for when it fails, and that it goes on is said meanwhile.

Standard library only: see bootstrap.py.
"""

import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path

from deploy.local.endings import ended, send

SAY_EVERY = 10.0  # seconds


@dataclass(frozen=True)
class Ran:
    """What became of a command: its exit code, and all that it printed."""

    returncode: int
    output: str


def run_saying(
    command: Sequence[str],
    what: str,
    say: Callable[[str], None],
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    every: float = SAY_EVERY,
) -> Ran:
    """Run it to its end; `say` every so many seconds that `what` goes on."""
    with tempfile.TemporaryFile() as printed:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=printed, stderr=subprocess.STDOUT, env=environment, cwd=cwd
        )
        waited = 0.0
        try:
            while not ended(child, every):
                waited += every
                say(f"{what}: still at it after {waited:.0f} s")
        except BaseException:  # such as Ctrl-C
            send(child, signal.SIGKILL)
            ended(child, inf)
            raise
        printed.seek(0)
        return Ran(child.returncode, printed.read().decode(errors="replace"))
