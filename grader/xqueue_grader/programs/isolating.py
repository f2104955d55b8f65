"""What every kind of isolation can say of itself, and what the limits of a process are called by the system."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from xqueue_grader.programs.limits import Limits

# What a program has of an environment: nothing of the grader's, where the broker's password is.
PATH = "/usr/local/bin:/usr/bin:/bin"
CLEAN = {"PATH": PATH, "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}


class Isolation(Protocol):
    """A way to run programs: how it is called, and what it does not keep them from."""

    @property
    def name(self) -> str:
        """One word."""

    @property
    def not_contained(self) -> tuple[str, ...]:
        """What a program can do all the same, one sentence each, for whoever runs the grader."""

    @property
    def limits_itself(self) -> bool:
        """Whether something else than the shim limits the program and says when it begins: a container engine."""

    def argv(self, command: Sequence[str], folder: Path, files: Sequence[str], limits: Limits, name: str) -> list[str]:
        """Make what starts a command with the files of a folder; `name` is of this run alone."""

    def environment(self, folder: Path) -> Mapping[str, str] | None:
        """Make the environment of what is started; None is the grader's own."""

    def rlimits(self, limits: Limits) -> dict[str, int]:
        """Say what the shim limits, by the system's names."""

    def stop(self, name: str) -> None:
        """End what a run may have left that no signal to its processes reaches."""


def rlimits(limits: Limits) -> dict[str, int]:
    """Name what each process may have as the system does; how many there may be is each isolation's own matter."""
    return {
        "RLIMIT_AS": limits.addresses,
        "RLIMIT_CPU": limits.cpu_seconds,
        "RLIMIT_FSIZE": limits.file_bytes,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_CORE": 0,
    }


# Said on descriptor 3 once all is in place, and closed: so what fails before is never taken for the program's failure.
BEGUN = 'printf b >&3; exec 3>&-; exec "$@"'


def begun(command: Sequence[str], first: str = "") -> list[str]:
    """Have a command run by a shell that does something first, and says then that the program begins."""
    return ["/bin/sh", "-c", f"{first}{BEGUN}", "sh", *command]
