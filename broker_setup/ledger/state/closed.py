"""Which submissions have ended, for as long as a delivery of one could still come, and which were redriven since."""

from math import ceil

from broker_setup.ledger.events import UUID_BYTES
from broker_setup.ledger.state.shelves import Shelves

# How long we know that a submission is closed at all. A delivery of one can come back while its queue holds it unacked,
# which ends with the gateway that held it; a day is what a replay covers, too.
CLOSED_SECONDS = 24 * 3600.0
TRIM_SECONDS = 60.0
# Seconds since the epoch, which sort as numbers do.
_MINUTE_BYTES = 5


class Closed:
    """The submissions that were settled, superseded, retired or parked; those that are parked may be redriven."""

    def __init__(self) -> None:
        # There may be a million: each with the minute in which it ended.
        self._minutes = Shelves(key_bytes=UUID_BYTES, value_bytes=_MINUTE_BYTES)
        self._parked: dict[bytes, bytes | None] = {}  # who sent it; None where no newer one could take its place
        self._redrives: dict[bytes, int] = {}
        self._minute = 0

    def __contains__(self, submission: bytes) -> bool:
        return self._minutes.find(submission) is not None

    def is_parked(self, submission: bytes) -> bool:
        """Say whether a submission was parked, and neither redriven nor retired since."""
        return submission in self._parked

    def redrives(self, submission: bytes) -> int:
        """Count how often a submission was redriven."""
        return self._redrives.get(submission, 0)

    def add(self, submission: bytes, at: float, *, is_new: bool = False) -> None:
        """Close a submission at `at`, by a clock that cannot jump, and forget what was closed a day before.

        One that `is_new` here need not be looked for.
        """
        if at - self._minute >= TRIM_SECONDS:
            self._minute = int(at)
            self._forget(at)
        if not is_new:
            self._minutes.discard(submission)
        self._minutes.add(submission, _packed(self._minute))

    def park(self, submission: bytes, redriven: int, sender: bytes | None) -> None:
        """Let a closed submission be one that may be redriven; it was so often before.

        Without its `sender` no newer one can take its place.
        """
        self._parked[submission] = sender
        if redriven:
            self._redrives[submission] = redriven

    def unpark(self, submission: bytes) -> None:
        """Let it be closed for good."""
        self._parked.pop(submission, None)

    def note_supersedable(self, submission: bytes, sender: bytes) -> None:
        """Let a newer one take the place of this one, should it be redriven; its submit was noted late."""
        if submission in self._parked:
            self._parked[submission] = sender

    def redrive(self, submission: bytes, number: int) -> bytes | None:
        """Open a submission again, for the `number`th time; return its sender, None if it is not to be superseded."""
        self._minutes.discard(submission)
        self._redrives[submission] = number
        return self._parked.pop(submission, None)

    def _forget(self, now: float) -> None:
        for submission in self._minutes.discard_below(_packed(max(0, ceil(now - CLOSED_SECONDS)))):
            self._parked.pop(submission, None)
            self._redrives.pop(submission, None)


def _packed(seconds: int) -> bytes:
    return seconds.to_bytes(_MINUTE_BYTES)
