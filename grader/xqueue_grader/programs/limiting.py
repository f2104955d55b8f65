"""A process that limits itself, gives up what it is, and becomes another: `python -I -S limiting.py ORDER COMMAND...`.

A script of its own, for between fork and exec of a process with threads nothing is safe. ORDER is JSON: the descriptor
that is to be number 3, limits by name, and the number of the user to become, if any.
"""

import ctypes
import json
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_NO_NEW_PRIVS = 38


def main() -> None:
    """Do it in the one order in which each step may still be done."""
    order = json.loads(sys.argv[1])
    os.dup2(order["begun"], 3)
    if order["begun"] != 3:  # noqa: PLR2004
        os.close(order["begun"])
    if (user := order["user"]) is not None:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    system = ctypes.CDLL(None)
    # No sudo, no at, no crontab: a program that is somebody else's to whoever runs it would be a way out.
    system.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    system.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != order["parent"]:
        sys.exit("the grader is gone")
    for name, most in order["rlimits"].items():
        which = getattr(resource, name)
        _, hardest = resource.getrlimit(which)
        bounded = most if hardest == resource.RLIM_INFINITY else min(most, hardest)
        # A second more, after which it dies of SIGKILL: the first signal can be caught.
        hard = bounded + 1 if name == "RLIMIT_CPU" and bounded != hardest else bounded
        resource.setrlimit(which, (bounded, hard))
    os.execv(sys.argv[2], sys.argv[2:])  # noqa: S606


if __name__ == "__main__":
    main()
