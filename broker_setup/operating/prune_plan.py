"""Which uploaded files may go: those of submissions that have ended a while ago, and those whose links have expired."""

from dataclasses import dataclass, field

from broker_setup.ledger.events import Delivered, Graded, Retired, Superseded, Undeliverable
from broker_setup.ledger.frames import Frame
from broker_setup.upload_store import submission_of

_ENDS = (Graded, Superseded, Retired, Delivered, Undeliverable)


@dataclass
class PrunePlan:
    """Takes the ledger in, then judges files; times are seconds since the epoch.

    What waits, is leased or is parked keeps its files, and so does what the ledger says nothing of: it may have waited
    for longer than the ledger goes back. Those go when their links have expired, as nobody can fetch them any more.
    """

    ended_before: float
    link_made_before: float
    _ended: set[bytes] = field(default_factory=set)

    def take(self, frame: Frame) -> None:
        """Take a frame in."""
        for event in frame.events:
            # Of an AMQP grader's result the ledger may hear no more than what became of its callback.
            if isinstance(event, _ENDS) and event.at < self.ended_before:
                self._ended.add(event.submission)

    def may_go(self, key: str, stored: float) -> bool:
        """Whether this file may be removed; what is not ours never."""
        submission = submission_of(key)
        if submission is None:
            return False
        return bytes.fromhex(submission) in self._ended or stored < self.link_made_before
