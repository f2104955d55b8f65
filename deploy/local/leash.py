"""Runs a command that ends when its parent ends, even where the parent was killed with SIGKILL.

Started as `python leash.py PARENT_PID COMMAND...`. It becomes the command (same pid), so whoever started it has the
command itself as a child. A program of its own rather than a preexec_fn, which is unsafe beside threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h; survives exec


def main() -> None:
    """Tie this process to its parent, then become the command."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != int(parent):  # it died before the leash was on
            sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
