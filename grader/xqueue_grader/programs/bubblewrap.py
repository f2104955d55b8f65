"""Runs a program in namespaces of its own, by bubblewrap: no network, no other process, nothing to write but memory."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xqueue_grader.programs.isolating import CLEAN, begun, rlimits
from xqueue_grader.programs.limits import Limits

WORK = "/box"
# What there is of the system, to read. Of /etc only what finds libraries and the other names of programs.
SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
SYSTEM_IF_THERE = ("/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime")


@dataclass(frozen=True)
class Bubblewrap:
    """The program `bwrap`, 0.8 or newer, and folders beside /usr that programs may read (a compiler's, say)."""

    bwrap: str
    readable: tuple[str, ...] = ()

    name = "bubblewrap"
    limits_itself = False
    not_contained = (
        "It may read all that is in /usr, and know this machine's kernel, processors and memory.",
        "A hole in the kernel is a hole in this: for strangers' programs use a machine, or a container, of their own.",
        "Its memory is watched ten times a second; for a tenth it may have as much for each of its processes.",
        "Empty files in its folder cost memory of the kernel that is not counted, until it ends.",
    )

    def argv(self, command: Sequence[str], folder: Path, files: Sequence[str], limits: Limits, name: str) -> list[str]:
        """Make the call: everything that is not named here is not there."""
        size = str(limits.disk_bytes)
        shown = [option for path in files for option in ("--ro-bind", str(folder / path), f"{WORK}/{path}")]
        variables = [option for key, value in CLEAN.items() for option in ("--setenv", key, value)]
        return [
            self.bwrap,
            *("--unshare-user", "--unshare-all", "--disable-userns", "--die-with-parent", "--new-session"),
            *("--cap-drop", "ALL", "--hostname", "sandbox"),
            *("--clearenv", *variables, "--setenv", "HOME", WORK),
            *("--ro-bind", "/usr", "/usr", *system_folders(Path("/"))),
            *(option for path in SYSTEM_IF_THERE for option in ("--ro-bind-try", path, path)),
            *(option for path in self.readable for option in ("--ro-bind", path, path)),
            *("--proc", "/proc", "--dev", "/dev"),
            *(option for path in ("/dev/shm", "/tmp", WORK) for option in ("--size", size, "--tmpfs", path)),  # noqa: S108
            *shown,
            *("--remount-ro", "/dev", "--remount-ro", "/", "--chdir", WORK, "--"),
            # Counted within the namespace, so only from within; bubblewrap's init is one more.
            *begun(command, few_processes(limits.processes + 1)),
        ]

    def environment(self, folder: Path) -> Mapping[str, str]:
        """Give bwrap itself no more than the program: it stands in the same /proc."""
        return CLEAN

    def rlimits(self, limits: Limits) -> dict[str, int]:
        """Limit bwrap and what it starts."""
        return rlimits(limits)

    def stop(self, name: str) -> None:
        """Nothing outlives the namespace."""


def few_processes(number: int) -> str:
    """Make the shell's words for it: dash has no -u, and bash no such -p."""
    return f"ulimit -u {number} 2>&- || ulimit -p {number} || exit 1; "


def system_folders(root: Path) -> list[str]:
    """Say how /bin and its like come in: as links where they are links into /usr, else to read."""
    options = []
    for path in SYSTEM:
        there = root / path.lstrip("/")
        if there.is_symlink():
            options += ["--symlink", str(there.readlink()), path]
        elif there.is_dir():
            options += ["--ro-bind", path, path]
    return options


def installed() -> str | None:
    """Return bwrap's path, if there is one."""
    return shutil.which("bwrap")
