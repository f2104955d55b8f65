"""What the ledger tells of as under way when an export begins, and what becomes of it meanwhile; no I/O."""

from collections import Counter
from collections.abc import Iterable, Iterator
from sys import intern

from broker_setup.ledger.events import (
    AnyEvent,
    Delivered,
    Discarded,
    Graded,
    Leased,
    Parked,
    Redriven,
    Retired,
    Submitted,
    Superseded,
)
from broker_setup.operator.backup.captured import Found

# `submitted` is noted a moment after the LMS has its answer, by a clock that may be a little off.
NOTED_SECONDS = 5.0
# `graded` and `submitted` may stand behind the `delivered` that follows from them, by moments: of so many it is known.
_REMEMBERED = 100_000


class UnderWay:
    """Each submission that must be in an export that began at `began` (seconds since the epoch), unless it has ended.

    Of one that was graded or parked by then its delivery may still be met: it is debris, and whoever reads the ledger
    lets it go.

    `delivered`, `left` (retired or discarded) and `superseded` (each with by which) is what ended while it was made.
    """

    def __init__(self, began: float) -> None:
        self._began = began
        self._queues: dict[bytes, str] = {}
        self._graded: set[bytes] = set()
        self._parked: dict[bytes, int] = {}  # each with how often it had been redriven
        self._ended: set[bytes] = set()
        self._ended_before: set[bytes] = set()
        self.delivered: set[bytes] = set()
        self.left: set[bytes] = set()
        self.superseded: dict[bytes, bytes] = {}

    def take_before(self, events: Iterable[AnyEvent]) -> None:
        """Take in what was written before the export began."""
        for event in events:
            match event:
                case Delivered(notice=False) | Retired() | Discarded() | Superseded():
                    self._end(event.submission)
                case Redriven():
                    self._ended.discard(event.submission)
                    self._ended_before.discard(event.submission)
                    self._parked.pop(event.submission, None)
                    self._add(event)
                case Graded():
                    if self._add(event):
                        self._graded.add(event.submission)
                case Parked():
                    if self._add(event):
                        self._parked[event.submission] = event.redriven
                case Submitted() | Leased():
                    self._add(event)

    def take_meanwhile(self, events: Iterable[AnyEvent]) -> None:
        """Take in what was written since."""
        for event in events:
            match event:
                case Delivered(notice=False):
                    self.delivered.add(event.submission)
                case Retired() | Discarded():
                    self.left.add(event.submission)
                case Superseded():
                    self.superseded[event.submission] = event.by
                case Submitted() if event.at <= self._began + NOTED_SECONDS:
                    self._add(event)

    def by_queue(self) -> Counter[str]:
        """Count by course queue what is under way, be it graded or parked."""
        return Counter(self._queues.values())

    def missing(self, found: Found) -> Iterator[tuple[bytes, str]]:
        """Yield each submission that has not ended and was not `found` as what it is, with its course queue."""
        for submission, queue in self._queues.items():
            if not self._is_safe(submission, found):
                yield submission, queue

    def _is_safe(self, submission: bytes, found: Found) -> bool:
        seen = set()
        while submission not in seen:
            if submission in self.delivered or submission in self.left or self._is_there(submission, found):
                return True
            seen.add(submission)
            # Then that which took its place has to be there.
            submission = self.superseded.get(submission, submission)
        return False

    def _is_there(self, submission: bytes, found: Found) -> bool:
        if found.as_result(submission):
            return True
        if submission in self._graded:
            return False
        if (before := self._parked.get(submission)) is not None:
            return found.as_parked(submission) or found.as_work(submission, before + 1)
        return found.as_work(submission) or found.as_parked(submission)

    def _add(self, event: Submitted | Leased | Graded | Parked | Redriven) -> bool:
        """Note that a submission is under way; say whether it is, as it may have ended before."""
        submission = event.submission
        if submission in self._ended or submission in self._ended_before:
            return False
        self._queues.setdefault(submission, intern(event.queue))
        return True

    def _end(self, submission: bytes) -> None:
        self._queues.pop(submission, None)
        self._graded.discard(submission)
        self._parked.pop(submission, None)
        if len(self._ended) >= _REMEMBERED:
            self._ended_before, self._ended = self._ended, set()
        self._ended.add(submission)
