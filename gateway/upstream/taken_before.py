"""Which submissions of upstreams are here, or were: what is handed out again is graded once; no I/O.

An upstream hands a submission out again, with the same key, when it has had no result for five minutes, and then to
each who asks until it has one. So an id and a key are one submission here, whoever takes it and how often; and all who
take know from the ledger what was taken.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable

from broker_setup.ledger.events import UUID_BYTES, AnyEvent, Delivered, Submitted, hash_sender
from broker_setup.upstream.dialect import Taken

# About 30 MB; what is forgotten, and handed out again, is graded again.
MOST_KNOWN = 200_000
# What an upstream hands out although it took the result has lost that, and is graded once more; as often as it itself
# tries to store a score.
MOST_ROUNDS = 5


def uuid_of(upstream: str, taken: Taken, round_: int = 0) -> bytes:
    """Name a submission: the same each time that it is handed out with this key, another one in each round."""
    what = f"{upstream}\0{taken.submission_id}\0{taken.key}\0{round_}"
    return hashlib.blake2b(what.encode(errors="replace"), digest_size=UUID_BYTES, person=b"xqueue upstream").digest()


def sender_of(upstream: str, url: bytes) -> bytes:
    """Say in the ledger who sent it, in a way that no account's name does."""
    return hash_sender(f"\0upstream\0{upstream}", url)


class TakenBefore:
    """Told of the ledger's events, and of what is taken."""

    def __init__(self, upstreams: Iterable[str], queues: Iterable[str]) -> None:
        """Look at what comes from these upstreams to these course queues."""
        self._upstreams, self._queues = tuple(upstreams), frozenset(queues)
        self._known: OrderedDict[bytes, float | None] = OrderedDict()  # when it was heard that a result was put back

    def __len__(self) -> int:
        return len(self._known)

    def take_in(self, event: AnyEvent, now: float) -> None:
        """Take in an event that was heard at `now`, by any clock that only goes on."""
        match event:
            case Submitted(_, submission, queue) if queue in self._queues and submission not in self._known:
                if any(event.sender == sender_of(name, event.url) for name in self._upstreams):
                    self.note(submission)
            case Delivered(_, submission) if submission in self._known:
                self._known[submission] = now

    def note(self, submission: bytes) -> None:
        """Note that a submission is here."""
        self._known.setdefault(submission, None)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)

    def new_uuid(self, upstream: str, taken: Taken, asked_at: float) -> bytes | None:
        """Name what an upstream handed out when it was asked at `asked_at`; None where it is a repeat.

        It is new, too, where the upstream had taken its result before it was asked: then it has lost that.
        """
        for round_ in range(MOST_ROUNDS):
            uuid = uuid_of(upstream, taken, round_)
            if uuid not in self._known:
                return uuid
            put_back = self._known[uuid]
            if put_back is None or put_back >= asked_at:
                return None
        return None
