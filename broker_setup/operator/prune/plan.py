"""Which uploaded files may go: those of submissions that have ended a while ago, and those whose links have expired."""

from collections.abc import Container
from dataclasses import dataclass, field

from broker_setup.ledger.events import Delivered, Graded, Parked, Redriven, Retired, Superseded, Undeliverable
from broker_setup.ledger.frames import Frame
from broker_setup.upload_store import submission_of


@dataclass
class PrunePlan:
    """Takes the ledger in, then decides about the files of `submissions` (uuids); times are seconds since the epoch.

    Nothing is kept of the other submissions: the ledger knows of millions, and few bring files.

    What waits, is leased or is parked keeps its files, and so does what the ledger says nothing of: it may have waited
    for longer than the ledger goes back. Those go when their links have expired, as nobody can fetch them any more.
    """

    ended_before: float
    link_made_before: float
    submissions: Container[bytes]
    _ended: dict[bytes, float] = field(default_factory=dict)
    _called_back: dict[bytes, float] = field(default_factory=dict)
    _parked: set[bytes] = field(default_factory=set)
    _redriven: set[bytes] = field(default_factory=set)

    def take(self, frame: Frame) -> None:
        """Take a frame in."""
        for event in frame.events:
            submission = event.submission
            if submission not in self.submissions:
                continue
            match event:
                case Parked() if submission not in self._ended:
                    self._parked.add(submission)
                case Redriven() if submission not in self._ended:
                    self._parked.discard(submission)
                    self._redriven.add(submission)
                case Superseded() | Retired():
                    self._parked.discard(submission)
                    self._ended[submission] = event.at
                case Graded() if submission not in self._parked:
                    self._ended[submission] = event.at
                case Delivered(notice=False) | Undeliverable(notice=False):
                    self._called_back[submission] = event.at

    def may_go(self, key: str, stored: float) -> bool:
        """Whether this file may be removed; what is not ours never."""
        submission = submission_of(key)
        if submission is None:
            return False
        ended = self._ended_at(bytes.fromhex(submission))
        return (ended is not None and ended < self.ended_before) or stored < self.link_made_before

    def _ended_at(self, submission: bytes) -> float | None:
        if submission in self._parked:
            return None
        if submission in self._redriven:
            # A callback may have been that of the notice by which its student heard that it was parked: a relay of
            # 0.1.0 doesn't say.
            return self._ended.get(submission)
        # Of an AMQP grader's result the ledger may hear no more than what became of its callback.
        return self._ended.get(submission, self._called_back.get(submission))
