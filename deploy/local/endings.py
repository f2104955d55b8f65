"""Whether a child has ended, asked in a way that a handler of signals may interrupt anywhere by raising.

Popen's own poll() and wait() take a lock just before they see to it that it is given back: raised in between, an error
leaves it taken, and whoever waits for the child then waits for ever. Standard library only: see bootstrap.py.
"""

import os
import signal
import subprocess
import time
from contextlib import suppress

# How often it is looked, in seconds.
_LOOK_EVERY = 0.02


def exit_code(child: subprocess.Popen[bytes]) -> int | None:
    """Return what it ended with; None while it runs."""
    if child.returncode is None:
        try:
            pid, status = os.waitpid(child.pid, os.WNOHANG)
        except ChildProcessError:
            # It had ended when a look was interrupted, which took its exit code along; Popen calls that 0, too.
            child.returncode = 0
        else:
            if pid:
                child.returncode = os.waitstatus_to_exitcode(status)
    return child.returncode


def ended(child: subprocess.Popen[bytes], within: float) -> bool:
    """Wait so many seconds for its end; tell whether it came."""
    deadline = time.monotonic() + within
    while exit_code(child) is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(left, _LOOK_EVERY))
    return True


def send(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send it a signal if it runs."""
    if exit_code(child) is None:
        with suppress(ProcessLookupError):
            os.kill(child.pid, number)
