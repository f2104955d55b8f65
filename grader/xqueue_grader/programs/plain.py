"""Runs a program under the system's limits alone: the way where there is no other, and far from safe."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xqueue_grader.programs.isolating import CLEAN, begun, rlimits
from xqueue_grader.programs.limits import Limits

ANY = (
    "It can use the network, and reach whatever this machine reaches: the broker, too.",
    "It can write as many files as it likes, each within its limit.",
    "It can leave files in /tmp, /var/tmp and /dev/shm, where later programs read them.",
    "What it puts into /dev/shm is memory that nobody counts.",
)
AS_ROOT = (
    "It can read what any user of this machine can: keep exercises, and all that is secret, readable by root alone.",
    "Where this grader is killed, processes that the program started stay until its user is lent again.",
)
AS_OURSELVES = (
    "It can read what this grader can: the tests and their right answers, and the settings that passwords are in.",
    "It can kill this grader, and what else its user runs.",
    "It can start no process and no thread, though its limits may say so: they could not be found again.",
)


@dataclass(frozen=True)
class Plain:
    """Limits without walls; `as_root` says that each run has a user of its own, which only root can give."""

    as_root: bool

    name = "plain"
    limits_itself = False

    @property
    def not_contained(self) -> tuple[str, ...]:
        """Much."""
        return (*(AS_ROOT if self.as_root else AS_OURSELVES), *ANY)

    def argv(self, command: Sequence[str], folder: Path, files: Sequence[str], limits: Limits, name: str) -> list[str]:
        """Start it as it is, in its folder."""
        return begun(command)

    def environment(self, folder: Path) -> Mapping[str, str]:
        """Give it a home where it may write."""
        return {**CLEAN, "HOME": str(folder)}

    def rlimits(self, limits: Limits) -> dict[str, int]:
        """Limit processes, too: the user's, who has these alone where we are root, and else none more at all."""
        return {**rlimits(limits), "RLIMIT_NPROC": limits.processes if self.as_root else 0}

    def stop(self, name: str) -> None:
        """All that it left has its user, or its process group."""
