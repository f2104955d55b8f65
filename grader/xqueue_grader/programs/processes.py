"""Looks at the processes of this machine: whose they are, whose children, and what memory they have."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")
KIB = 1024


@dataclass(frozen=True)
class Seen:
    """One process at one moment."""

    number: int
    parent: int
    user: int
    dead: bool
    memory_bytes: int  # its own, without libraries' files


def seen() -> Iterator[Seen]:
    """Look at each process that there is."""
    for path in PROC.iterdir():
        if path.name.isdigit() and (process := look(int(path.name))):
            yield process


def look(number: int) -> Seen | None:
    """Look at one; None if it is gone. Of `status`, for a process can have its folder's owner changed."""
    try:
        text = (PROC / str(number) / "status").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    # Its name comes first, and has no line end of its own: the system spells it out.
    found = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    return Seen(
        number,
        int(found["PPid"]),
        int(found["Uid"].split()[0]),
        found["State"].startswith(("Z", "X")),
        sum(int(found.get(key, "0").split()[0]) for key in ("RssAnon", "RssShmem", "VmSwap")) * KIB,
    )


def memory_of(root: int, user: int | None) -> int:
    """Add up what a process and those below it have, and all others of the user, in bytes."""
    processes = list(seen())
    children = defaultdict(list)
    for process in processes:
        children[process.parent].append(process.number)
    ours, left = {root}, [root]
    while left:
        found = [child for child in children[left.pop()] if child not in ours]
        ours.update(found)
        left += found
    return sum(each.memory_bytes for each in processes if each.number in ours or each.user == user)
