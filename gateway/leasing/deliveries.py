"""The unacked deliveries of one course queue: which wait for a poll, and what they take of each consumer's prefetch."""

from collections import Counter
from sys import getsizeof
from time import monotonic

from msgspec import Struct

from broker_setup.link.settling import Hold
from broker_setup.wire.submissions import Submission
from gateway.leasing.buffer import Buffer


class Waiting(Struct, frozen=True, gc=False):
    """A held submission that waits for a poll since `since` (monotonic seconds), and takes `size` bytes of memory.

    That is its `work`, and its return address. One rare sign in a text makes each of its characters take four.
    """

    id: bytes
    submission: Submission
    since: float
    size: int
    work: int


def held_by(submission: Submission) -> int:
    """Say how many bytes a submission's work and files take of memory until its grader has read them."""
    size = getsizeof(submission.body)
    for name, url in submission.files.items():
        size += getsizeof(name) + getsizeof(url)
    return size


class Buffered(Struct, frozen=True, gc=False):
    """Deliveries that wait for a poll: how many, of how many bytes, for how long (s); and polls that wait for them."""

    number: int
    bytes: int
    oldest: float
    waiting: int


class Deliveries:
    """What the consumer fills and the course queue empties; it decides nothing, and does no I/O."""

    def __init__(self) -> None:
        self._buffer: Buffer[Waiting] = Buffer()
        self._holds: dict[bytes, list[Hold]] = {}
        self._unacked: Counter[str] = Counter()  # by the consumer that they came by
        self._buffered_bytes = 0

    def __contains__(self, submission: bytes) -> bool:
        return submission in self._holds

    def __len__(self) -> int:
        """How many wait for a poll."""
        return len(self._buffer)

    @property
    def held(self) -> int:
        """How many submissions there are deliveries of."""
        return len(self._holds)

    def unacked(self, tag: str) -> int:
        """Say how much of the prefetch of the consumer `tag` is taken."""
        return self._unacked[tag]

    def buffered(self) -> Buffered:
        """Say what waits here."""
        first = self._buffer.first()
        return Buffered(
            number=len(self._buffer),
            bytes=self._buffered_bytes,
            oldest=monotonic() - first.since if first else 0.0,
            waiting=self._buffer.waiting,
        )

    def redriven(self, submission: bytes) -> int:
        """Say how often the copy of a submission that is held was redriven; of several the newest counts."""
        newest = 0
        for hold in self._holds.get(submission, ()):
            newest = max(newest, hold.redriven)
        return newest

    def came(self, tag: str) -> None:
        """Count a delivery of the consumer `tag`, whatever it is."""
        self._unacked[tag] += 1

    def ended(self, tag: str) -> None:
        """Note that a delivery of the consumer `tag` is acked or given back: its prefetch is free again."""
        self._unacked[tag] -= 1
        if self._unacked[tag] <= 0:
            del self._unacked[tag]

    def hold(self, submission: bytes, hold: Hold) -> bool:
        """Keep a delivery of a submission; say whether it is the only one.

        A submission that is held may be delivered again: the queue's leader had lost this node for a moment and took
        the first delivery back, or there are two copies. All of them end together, once the submission is settled.
        """
        holds = self._holds.setdefault(submission, [])
        holds.append(hold)
        return len(holds) == 1

    def offer(self, waiting: Waiting) -> None:
        """Let a held submission wait for a poll."""
        self.withdraw(waiting.id)
        self._buffered_bytes += waiting.size
        self._buffer.push(waiting.id, waiting)

    def first(self) -> Waiting | None:
        """Return the submission that has waited longest for a poll, or None."""
        return self._buffer.first()

    def release(self, submission: bytes) -> list[Hold]:
        """Stop holding a submission, and return what of it has to be acked or given back."""
        self.withdraw(submission)
        return self._holds.pop(submission, [])

    def withdraw(self, submission: bytes) -> None:
        """Let a submission wait for a poll no more; it stays held."""
        if waiting := self._buffer.remove(submission):
            self._buffered_bytes -= waiting.size

    def waiting(self) -> list[bytes]:
        """Return the submissions that wait for a poll, the oldest first."""
        return [waiting.id for waiting in self._buffer]

    def forget(self) -> None:
        """Forget every delivery: their channel is gone, and the broker delivers them anew."""
        self._buffer.drain()
        self._buffered_bytes = 0
        self._holds.clear()
        self._unacked.clear()

    def wake(self) -> None:
        """Have all polls that wait look at how things stand."""
        self._buffer.wake()

    async def wait(self, seconds: float) -> None:
        """Return when there may be a submission that waits, after `seconds` at the latest."""
        await self._buffer.wait(seconds)
