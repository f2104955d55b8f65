"""What of one LMS waits here, oldest first, and in which line most of it waits; every step in constant time; no I/O."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from callback_relay.job import Job

J = TypeVar("J", bound=Job)


class Queued(Generic[J]):
    """The jobs at hand of one LMS that are not under way, in the order in which they came."""

    def __init__(self) -> None:
        self._jobs: dict[J, None] = {}
        self._of_url: dict[str, dict[J, None]] = {}
        self._urls: dict[int, dict[str, None]] = {}  # by how many jobs wait for each
        self.longest = 0  # so many wait for one URL, and for no other more

    def __len__(self) -> int:
        return len(self._jobs)

    def __iter__(self) -> Iterator[J]:
        return iter(self._jobs)

    def __contains__(self, job: object) -> bool:
        return job in self._jobs

    def add(self, job: J) -> None:
        """Put a job behind all others."""
        self._jobs[job] = None
        line = self._of_url.setdefault(job.url, {})
        line[job] = None
        self._move(job.url, len(line) - 1, len(line))
        self.longest = max(self.longest, len(line))

    def discard(self, job: J) -> None:
        """Take a job out, if it is here."""
        if job not in self._jobs:
            return
        del self._jobs[job]
        line = self._of_url[job.url]
        del line[job]
        self._move(job.url, len(line) + 1, len(line))
        if not line:
            del self._of_url[job.url]
        if self.longest not in self._urls:
            self.longest -= 1  # this was the only one of that length, and is one shorter now

    def newest(self) -> J:
        """Return the job that came last."""
        return next(reversed(self._jobs))

    def newest_of_longest(self) -> J:
        """Return the job that came last of those for the URL for which most wait."""
        url = next(iter(self._urls[self.longest]))
        return next(reversed(self._of_url[url]))

    def _move(self, url: str, before: int, after: int) -> None:
        if before:
            del self._urls[before][url]
            if not self._urls[before]:
                del self._urls[before]
        if after:
            self._urls.setdefault(after, {})[url] = None
