"""What a sandbox knows of each submission: who has it, until when, and what came of it. No I/O."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from threading import Condition
from time import time

from xqueue_grader.sandbox.kinds import Kind

NO_SUBMISSION = "Submission does not exist"
WRONG_KEY = "Incorrect key for submission"
# What is waited for in one go, so that an end is noticed.
_LOOK_SECONDS = 0.05


@dataclass(frozen=True)
class Graded:
    """A submission as a test looks at it; more than one of `replies` means that a student would hear twice.

    `attempts` counts how often it was handed out, `failures` how often it was given back as failed.
    """

    id: int
    queue: str
    body: str
    files: Mapping[str, str]
    replies: tuple[bytes, ...]
    attempts: int
    failures: int


@dataclass(frozen=True)
class Handed:
    """A submission as a grader gets it, and when its lease ends, in seconds since 1970."""

    id: int
    key: str
    body: str
    files: Mapping[str, str]
    expires_at: float


@dataclass
class _Entry:
    id: int
    queue: str
    body: str
    files: Mapping[str, str]
    key: str = ""
    until: float = 0.0  # leased, or held back, until then
    attempts: int = 0
    failures: int = 0
    replies: list[bytes] = field(default_factory=list)


class Desk:
    """Holds submissions in memory; may be used by many threads."""

    def __init__(
        self,
        queues: Sequence[str],
        kind: Kind,
        lease_seconds: float,
        cap_seconds: float,
        clock: Callable[[], float] = time,
    ) -> None:
        """A lease runs for `lease_seconds`, and when it is extended for `cap_seconds` at most."""
        self.queues = tuple(queues)
        self._kind = kind
        self._lease = lease_seconds
        self._cap = cap_seconds
        self._clock = clock
        self._ids = count(1)
        self._entries: dict[int, _Entry] = {}
        self._handed: dict[int, float] = {}
        self._changed = Condition()

    def submit(self, queue: str, body: str, files: Mapping[str, str]) -> int:
        """Take a submission in; return its id."""
        with self._changed:
            entry = _Entry(next(self._ids), queue, body, dict(files))
            self._entries[entry.id] = entry
            self._changed.notify_all()
            return entry.id

    def look(self, number: int) -> Graded:
        """Say how a submission stands; raise KeyError."""
        with self._changed:
            entry = self._entries[number]
            replies = tuple(entry.replies)
            return Graded(entry.id, entry.queue, entry.body, entry.files, replies, entry.attempts, entry.failures)

    def all(self) -> list[Graded]:
        """Say how each stands, the oldest first."""
        return [self.look(number) for number in list(self._entries)]

    def waiting(self, queue: str) -> int:
        """Count what waits for a grader."""
        with self._changed:
            return len(self._free(queue))

    def wait_for(self, holds: Callable[[], bool], seconds: float) -> bool:
        """Wait until something holds that results or submissions bring about."""
        deadline = self._clock() + seconds
        with self._changed:
            while not (done := holds()) and self._clock() < deadline:
                self._changed.wait(_LOOK_SECONDS)
            return done

    def take(self, queue: str, limit: int) -> list[Handed]:
        """Lease up to `limit` submissions."""
        with self._changed:
            return [self._lease_one(entry) for entry in self._free(queue)[:limit]]

    def put(self, number: int, key: str, reply: bytes) -> str:
        """Take a result; return why not, or ""."""
        with self._changed:
            entry = self._entries.get(number)
            if entry is None:
                return NO_SUBMISSION
            if not entry.key or not secrets.compare_digest(entry.key.encode(), key.encode()):
                return WRONG_KEY
            again = self._kind is Kind.XQUEUE and reply in entry.replies
            if not again:
                entry.replies.append(reply)
            if self._kind is not Kind.XQUEUE:
                entry.key = ""  # which is why a repeat is refused there
            self._changed.notify_all()
            return ""

    def extend(self, number: int, key: str, seconds: float) -> float | str:
        """Have a lease run on for `seconds` from now; return when it ends, or why not."""
        with self._changed:
            entry = self._leased(number, key)
            if isinstance(entry, str):
                return entry
            entry.until = max(entry.until, min(self._clock() + seconds, self._handed[number] + self._cap))
            return entry.until

    def release(self, number: int, key: str, *, failed: bool, delay: float) -> str:
        """End a lease without a result; return why not, or ""."""
        with self._changed:
            entry = self._leased(number, key)
            if isinstance(entry, str):
                return entry
            entry.key = ""
            entry.until = self._clock() + delay
            entry.failures += failed
            self._changed.notify_all()
            return ""

    def _leased(self, number: int, key: str) -> _Entry | str:
        entry = self._entries.get(number)
        if entry is None:
            return NO_SUBMISSION
        wrong = entry.replies or entry.until <= self._clock() or not entry.key or entry.key != key
        return WRONG_KEY if wrong else entry

    def _free(self, queue: str) -> list[_Entry]:
        now = self._clock()
        return [
            each for each in self._entries.values() if each.queue == queue and not each.replies and each.until <= now
        ]

    def _lease_one(self, entry: _Entry) -> Handed:
        now = self._clock()
        if not (entry.key and self._kind is Kind.EDX_SUBMISSIONS):  # there the next one gets the same
            entry.key = secrets.token_hex(16)
        entry.until = now + self._lease
        entry.attempts += 1
        self._handed[entry.id] = now
        return Handed(entry.id, entry.key, entry.body, entry.files, entry.until)
