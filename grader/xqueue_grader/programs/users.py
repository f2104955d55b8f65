"""Users without a name, one for each run, where the grader is root: what a program left is killed by them."""

import contextlib
import fcntl
import os
import pwd
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from xqueue_grader.programs.processes import Seen, seen
from xqueue_grader.programs.program import IsolationError

# Above Debian's users and below its reserved ones.
FIRST = 59_000
MANY = 100  # and as many above them, for who kills
LOCKS = Path("/run/xqueue-programs")
DYING_SECONDS = 30

# Run as a process that is nobody but the program's user (by its effective number) and one that has no processes (by its
# real and saved ones). Of a call that signals "all", the system then takes only those of these two, and none of the
# program's can signal it. It asks first whether that is so: with anything of root left, "all" is the whole machine.
KILL = """
import os, sys
user, nobody = int(sys.argv[1]), int(sys.argv[2])
os.setgroups([])
os.setresgid(nobody, nobody, nobody)
os.setresuid(nobody, user, nobody)
with open("/proc/self/status") as status:
    powers = [line.split()[1] for line in status if line.startswith(("CapEff:", "CapPrm:"))]
ours = os.getresuid() == (nobody, user, nobody) and min(user, nobody) >= 1000
if not ours or len(powers) != 2 or any(int(power, 16) for power in powers):
    sys.exit("could not become nobody but the program's user")
try:
    os.kill(-1, 9)
except ProcessLookupError:
    pass
"""


@contextlib.contextmanager
def borrowed() -> Iterator[int]:
    """Have a user whom no other run has, of this grader or another of this machine; only root may ask."""
    make(LOCKS)
    for user in range(FIRST, FIRST + MANY):
        if named(user) or named(user + MANY):
            continue
        descriptor = os.open(LOCKS / str(user), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        try:
            if not free(user):
                continue
            try:
                yield user
            finally:
                end_all(user)
            return
        finally:
            os.close(descriptor)
    raise IsolationError(
        f"all {MANY} users for programs are in use, or have dead processes that nobody buries: run fewer "
        "at once, and a container with an init"
    )


def free(user: int) -> bool:
    """Kill what a grader left that was killed, and tell whether nothing is there, not even dead.

    Until the machine's first process buries them, the dead count among the processes that a user may have.
    """
    end_all(user)
    return all(process.user != user for process in seen())


def make(folder: Path) -> None:
    """Make the folder of the locks, where nobody else may write."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise IsolationError(f"there is no folder {folder} to note users of programs in: {error}") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & 0o077:
        raise IsolationError(f"{folder} is not root's alone: remove it")


def named(user: int) -> bool:
    """Tell whether somebody has this number already."""
    try:
        pwd.getpwuid(user)
    except KeyError:
        return False
    return True


def end_all(user: int, *, surely: bool = False) -> None:
    """Kill all processes of a user; raise IsolationError where some stay.

    `surely` asks for one look less: one that forks and ends, again and again, may be missed by looking.
    """
    until = time.monotonic() + DYING_SECONDS
    while surely or living(user):
        surely = False
        if time.monotonic() > until:
            raise IsolationError(f"processes of user {user} can not be killed")
        command = [sys.executable, "-I", "-S", "-c", KILL, str(user), str(user + MANY)]
        killed = subprocess.run(command, capture_output=True, check=False)
        if killed.returncode:
            said = killed.stderr.decode(errors="replace").strip()
            raise IsolationError(f"what a program left could not be killed: {said}")
        time.sleep(0.01)


def living(user: int) -> list[Seen]:
    """Return the user's processes that are not dead yet, and bury those that are ours to bury.

    Where the grader is the first process of a container it inherits orphans, and the dead count among the processes
    that a user may have.
    """
    found = [process for process in seen() if process.user == user]
    for process in found:
        if process.dead and process.parent == os.getpid():
            with contextlib.suppress(ChildProcessError):
                os.waitpid(process.number, os.WNOHANG)
    return [process for process in found if not process.dead]
