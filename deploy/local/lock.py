"""One user at a time for a folder, however that user ends."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def held(file: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock; the system lets go of it when the process ends. BlockingIOError where another has it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield
