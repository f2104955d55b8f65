"""What is run, and how a run ended: values that all else here passes on."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class IsolationError(Exception):
    """A program could not be run as it has to be: nobody can be blamed for it but this machine."""


class End(StrEnum):
    """What a run ended by."""

    ITSELF = "itself"
    SECONDS = "seconds"
    CPU = "cpu"
    MEMORY = "memory"
    OUTPUT = "output"


@dataclass(frozen=True)
class Program:
    """A command, and the files that lie in its folder, by name: no paths."""

    command: tuple[str, ...]
    files: Mapping[str, bytes]

    def __post_init__(self) -> None:
        if not self.command:
            raise ValueError("a program's command is empty")
        for name in self.files:
            if not name or "/" in name or "\0" in name or name in {".", ".."} or len(name.encode()) > 200:  # noqa: PLR2004
                raise ValueError(f"{name!r} can not be a file's name here: no folders, and 200 bytes at the most")


@dataclass(frozen=True)
class Ran:
    """One run: its end, its exit code (128 and the number where a signal ended it), and what it wrote."""

    end: End
    code: int
    output: bytes
    errors: bytes
    seconds: float
    memory_bytes: int  # the most that was seen, every tenth of a second: 0 of what was quicker

    @property
    def well(self) -> bool:
        """Tell whether it ended by itself and without an error."""
        return self.end is End.ITSELF and self.code == 0
