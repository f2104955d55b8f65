"""Which submission a grader means: by the key of its lease, and by the id that it was told."""

from broker_setup.ledger.answers import Refusal
from broker_setup.ledger.events import hash_key
from broker_setup.wire.properties import submission_id_of


class LeaseKeys:
    """The newest key of each submission that is leased, or was settled lately."""

    def __init__(self) -> None:
        self._by_key: dict[bytes, bytes] = {}
        self._by_id: dict[int, bytes] = {}

    def find(self, submission_id: int, key: str) -> bytes | Refusal:
        """Return the submission that a grader names."""
        submission = self._by_key.get(hash_key(key))
        # The key decides; an id alone could belong to two submissions.
        if submission is None or submission_id_of(submission) != submission_id:
            return Refusal.WRONG_KEY if submission_id in self._by_id else Refusal.UNKNOWN_SUBMISSION
        return submission

    def find_anyhow(self, submission_id: int, key: str) -> bytes:
        """Return what is found by the key, or else by the id alone; b"" if there is neither."""
        submission = self.find(submission_id, key)
        return self._by_id.get(submission_id, b"") if isinstance(submission, Refusal) else submission

    def add(self, key: bytes, submission: bytes) -> None:
        """Let a submission be found by this key."""
        if self._by_key.get(key) == submission:
            return  # a lease that was settled, nearly always
        self._by_key[key] = submission
        self._by_id[submission_id_of(submission)] = submission

    def replace(self, key: bytes) -> None:
        """Let a submission be found by this key no more, and still by its id."""
        self._by_key.pop(key, None)

    def drop(self, key: bytes, submission: bytes) -> None:
        """Let a submission be found no more."""
        self._by_key.pop(key, None)
        submission_id = submission_id_of(submission)
        if self._by_id.get(submission_id) == submission:
            del self._by_id[submission_id]
