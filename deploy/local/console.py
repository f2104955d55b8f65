"""What `make up` says: steps and their durations on stdout, everything else on stderr."""

import contextlib
import sys
import time
from collections.abc import Iterator

WIDTH = 76


class Step:
    """One step under way; say what came of it before it ends."""

    def __init__(self, name: str) -> None:
        """Begin it."""
        self.name = name
        self.outcome = "done"
        self._began = time.monotonic()

    def line(self) -> str:
        """Return the line for people."""
        return f"{self.name:<17} {self.outcome:<{WIDTH}} {time.monotonic() - self._began:6.2f} s".rstrip()


@contextlib.contextmanager
def step(name: str) -> Iterator[Step]:
    """Time a step and print what came of it; a step that fails prints nothing, its error will."""
    under_way = Step(name)
    yield under_way
    say(under_way.line())


def say(line: str) -> None:
    """Print a line to stdout now: scripts wait for it."""
    print(line, flush=True)


def note(line: str) -> None:
    """Print a line about what goes on to stderr."""
    print(line, file=sys.stderr, flush=True)
