"""How much a student's program may have: the numbers, with their units."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

MIB = 1024 * 1024


class LimitsError(ValueError):
    """A limit that is none; says which."""


@dataclass(frozen=True)
class Limits:
    """What one run of a program may have; raise LimitsError where one is no number above 0."""

    seconds: float = 10  # by the clock, from when the program itself begins
    cpu_seconds: int = 2  # of computing, for each of its processes
    memory_bytes: int = 256 * MIB  # of all its processes together, and of the addresses of each
    address_bytes: int = 0  # of addresses where memory_bytes is too few: Java, Go and Node reserve gigabytes
    processes: int = 8  # threads are counted, too
    file_bytes: int = MIB  # each file
    disk_bytes: int = 16 * MIB  # all files in one folder
    output_bytes: int = 64 * 1024  # what it prints, and as much again of its errors
    open_files: int = 64

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            right = isinstance(value, int) or (field.name == "seconds" and isinstance(value, float))
            if isinstance(value, bool) or not right or not math.isfinite(value) or value < 0:
                raise LimitsError(f"the limit {field.name} is {value!r}; give a number above 0")
            if value == 0 and field.name != "address_bytes":
                raise LimitsError(f"the limit {field.name} is 0: nothing could run")

    @property
    def addresses(self) -> int:
        """The bytes of addresses that each process may have."""
        return self.address_bytes or self.memory_bytes


def limits_from(table: Mapping[str, Any]) -> Limits:
    """Read limits out of a table, as of TOML; raise LimitsError for names that there are not, too."""
    known = {field.name for field in fields(Limits)}
    if unknown := sorted(table.keys() - known):
        raise LimitsError(f"there is no limit {unknown[0]!r}; there are {', '.join(sorted(known))}")
    return Limits(**table)
