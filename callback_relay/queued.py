"""What of one LMS waits here, oldest first, and in which line most of it waits; every step in constant time; no I/O."""

from collections.abc import Iterator
from itertools import chain
from typing import Generic, TypeVar

from callback_relay.job import Job, Line

J = TypeVar("J", bound=Job)


class Waiting(Generic[J]):
    """The jobs at hand of one LMS that are not under way, by whether they came unread: each kind has its own room."""

    def __init__(self) -> None:
        self._kinds: dict[bool, Queued[J]] = {False: Queued(), True: Queued()}

    def __len__(self) -> int:
        return sum(map(len, self._kinds.values()))

    def __iter__(self) -> Iterator[J]:
        return chain.from_iterable(self._kinds.values())

    def add(self, job: J) -> None:
        """Put a job behind all others of its kind."""
        self._kinds[job.unread].add(job)

    def discard(self, job: J) -> None:
        """Take a job out, if it is here."""
        self._kinds[job.unread].discard(job)

    def of(self, *, unread: bool) -> "Queued[J]":
        """Return those of one kind."""
        return self._kinds[unread]


class Queued(Generic[J]):
    """Jobs in the order in which they came."""

    def __init__(self) -> None:
        self._jobs: dict[J, None] = {}
        self._of_line: dict[Line, dict[J, None]] = {}
        self._lines: dict[int, dict[Line, None]] = {}  # by how many jobs wait in each
        self.longest = 0  # so many wait in one line, and in no other more

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[J]:
        return iter(self._jobs)

    def __contains__(self, job: object) -> bool:
        return job in self._jobs

    def add(self, job: J) -> None:
        """Put a job behind all others."""
        self._jobs[job] = None
        line = self._of_line.setdefault(job.line, {})
        line[job] = None
        self._move(job.line, len(line) - 1, len(line))
        self.longest = max(self.longest, len(line))

    def discard(self, job: J) -> None:
        """Take a job out, if it is here."""
        if job not in self._jobs:
            return
        del self._jobs[job]
        line = self._of_line[job.line]
        del line[job]
        self._move(job.line, len(line) + 1, len(line))
        if not line:
            del self._of_line[job.line]
        if self.longest not in self._lines:
            self.longest -= 1  # this was the only one of that length, and is one shorter now

    def newest(self) -> J:
        """Return the job that came last."""
        return next(reversed(self._jobs))

    def newest_of_longest(self) -> J:
        """Return the job that came last of those in the line in which most wait."""
        line = next(iter(self._lines[self.longest]))
        return next(reversed(self._of_line[line]))

    def _move(self, line: Line, before: int, after: int) -> None:
        if before:
            del self._lines[before][line]
            if not self._lines[before]:
                del self._lines[before]
        if after:
            self._lines.setdefault(after, {})[line] = None
