"""Runs a program in a container of its own, by docker or podman."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from xqueue_grader.programs.isolating import rlimits
from xqueue_grader.programs.limits import Limits
from xqueue_grader.programs.program import IsolationError

WORK = "/box"
NOBODY = "65534:65534"
REMOVING_SECONDS = 60


@dataclass(frozen=True)
class Container:
    """An engine's command (`docker` or `podman`), and the image that programs run in: it has their language."""

    engine: str
    image: str

    name = "container"
    limits_itself = True
    not_contained = (
        "Whoever may call the engine is root on its machine: this grader, and so whoever takes it over.",
        "A hole in the kernel is a hole in this, unless the engine's runtime is a virtual machine.",
        "A grader that is killed leaves the container that it had until its program ends.",
    )

    def argv(self, command: Sequence[str], folder: Path, files: Sequence[str], limits: Limits, name: str) -> list[str]:
        """Make the call, with nothing that the program does not need."""
        ulimits = {key.removeprefix("RLIMIT_").lower(): value for key, value in rlimits(limits).items()}
        del ulimits["as"]  # the memory itself is limited here
        size = limits.disk_bytes
        shown = [option for path in files for option in ("--volume", f"{folder / path}:{WORK}/{path}:ro")]
        return [
            self.engine,
            *("run", "--rm", "--interactive", "--name", name, "--pull", "never", "--log-driver", "none"),
            *("--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"),
            *("--user", NOBODY, "--workdir", WORK, "--init"),
            *(f"--memory={limits.memory_bytes}", f"--memory-swap={limits.memory_bytes}"),
            # The engine's init is one of them.
            *(f"--pids-limit={limits.processes + 1}", "--cpus=1"),
            *(f"--ulimit={key}={value}:{value}" for key, value in ulimits.items()),
            *(f"--tmpfs={path}:rw,nosuid,nodev,size={size},mode=1777" for path in (WORK, "/tmp")),  # noqa: S108
            *("--shm-size", str(size), "--env", f"HOME={WORK}", "--env", "PYTHONDONTWRITEBYTECODE=1"),
            *shown,
            self.image,
            *command,
        ]

    def environment(self, folder: Path) -> Mapping[str, str] | None:
        """The engine's command needs ours, and hands the program nothing of it."""
        return None

    def rlimits(self, limits: Limits) -> dict[str, int]:
        """The engine's command is no student's."""
        return {}

    def stop(self, name: str) -> None:
        """Remove the container, which lives on where only the command that waits for it was killed."""
        removed = subprocess.run(
            [self.engine, "rm", "--force", name], capture_output=True, timeout=REMOVING_SECONDS, check=False
        )
        if removed.returncode and b"no such container" not in removed.stderr.lower():
            said = removed.stderr.decode(errors="replace").strip()
            raise IsolationError(f"container {name} could not be removed, and may still run: {said}")
