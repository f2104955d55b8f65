"""Which submissions a newer one has taken the place of, and that have not left their queue yet."""

from collections import Counter

from msgspec import Struct

# What waits for longer is graded. Whoever starts reads a day or more: so all know of what is younger the same, however
# far back each of them has read.
SUPERSEDABLE_SECONDS = 20 * 3600.0
# What is too old to be superseded is forgotten so much later: no event could tell the difference then, whose writer's
# clock is nearly right.
_LATE_SECONDS = 3600.0


class _Superseded(Struct, frozen=True):
    queue: str
    by: bytes
    submitted_at: float
    sender: bytes


class SupersededSubmissions:
    """Each with the one that took its place, its queue, and when and by whom it was submitted."""

    def __init__(self) -> None:
        self._superseded: dict[bytes, _Superseded] = {}
        self._number_in: Counter[str] = Counter()

    def __contains__(self, submission: bytes) -> bool:
        return submission in self._superseded

    def counts(self, submission: bytes, at: float) -> bool:
        """Say whether a submission is superseded at `at`: one that is too old for that is graded."""
        superseded = self._superseded.get(submission)
        return superseded is not None and at - superseded.submitted_at < SUPERSEDABLE_SECONDS

    def by(self, submission: bytes) -> bytes:
        """Return which submission took the place of this one."""
        return self._superseded[submission].by

    def sender_of(self, submission: bytes) -> bytes | None:
        """Return who sent a superseded submission."""
        superseded = self._superseded.get(submission)
        return superseded.sender if superseded else None

    def number_in(self, queue: str) -> int:
        """Count those that have not left the broker's queue."""
        return self._number_in[queue]

    def add(self, submission: bytes, *, by: bytes, queue: str, submitted_at: float, sender: bytes) -> None:
        """Let a submission be superseded."""
        self._superseded[submission] = _Superseded(queue, by, submitted_at, sender)
        self._number_in[queue] += 1

    def drop(self, submission: bytes) -> None:
        """Forget one that has left its queue."""
        superseded = self._superseded.pop(submission, None)
        if superseded:
            self._number_in[superseded.queue] -= 1

    def forget(self, now: float) -> None:
        """Forget those that are graded, being too old."""
        for submission, superseded in list(self._superseded.items()):
            if now - superseded.submitted_at > SUPERSEDABLE_SECONDS + _LATE_SECONDS:
                self.drop(submission)
