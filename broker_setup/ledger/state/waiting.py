"""What waits, by callback URL: which submissions a newer one of the same URL could take the place of."""

from collections import Counter
from collections.abc import Sequence
from struct import Struct as Packing

from broker_setup.ledger.events import SENDER_HASH_BYTES, URL_HASH_BYTES, UUID_BYTES
from broker_setup.ledger.state.shelves import Shelves

# A submission that waits: uuid, when it was submitted, number of its queue, who sent it. Packed, for there may be a
# million of them.
_ENTRY = Packing(f"{UUID_BYTES}sdI{SENDER_HASH_BYTES}s")
# Of an event that does not say it.
NO_SENDER = bytes(SENDER_HASH_BYTES)

# The same, unpacked.
Entry = tuple[bytes, float, int, bytes]

# Of one URL and sender: nobody's crowd out another's. A student answers a problem a few times in a minute; a
# stranger's program with an account may do so ten thousand times, and each event of that URL looks at all that are
# kept. Older ones are graded, as without superseding.
MAX_OF_URL = 100


class Waiting:
    """The submissions that have not ended, by the hash of their callback URL, in the ledger's order."""

    def __init__(self) -> None:
        # Nearly always one alone waits for a URL.
        self._entries = Shelves(key_bytes=URL_HASH_BYTES, value_bytes=_ENTRY.size)
        self._queues: dict[str, int] = {}
        self._count: Counter[int] = Counter()  # by number of the queue

    def at(self, url: bytes) -> list[Entry]:
        """Return what waits for `url`."""
        packed = self._entries.find(url)
        return list(_ENTRY.iter_unpack(packed)) if packed else []

    def queue_of(self, entry: Entry) -> str:
        """Return the queue of an entry."""
        return list(self._queues)[entry[2]]

    def count(self, queue: str) -> int:
        """Count what waits in `queue`, leased or not."""
        return self._count[self._queues.get(queue, -1)]

    def put(
        self,
        url: bytes,
        before: Sequence[Entry],
        submission: bytes,
        at: float,
        queue: str,
        *,
        sender: bytes,
        instead_of: Sequence[Entry] = (),
    ) -> None:
        """Let a submission wait behind those `before` it; with `instead_of` they are all that waited for `url`.

        The sender's oldest are forgotten where there would be too many, and can be superseded no more.
        """
        number = self._queues.setdefault(queue, len(self._queues))
        sender = sender or NO_SENDER
        self._count[number] += 1
        if not before and not instead_of:
            self._entries.add(url, _ENTRY.pack(submission, at, number, sender))
            return
        too_many = [entry for entry in before if entry[3] == sender][: -MAX_OF_URL + 1]
        kept = [entry for entry in before if entry not in too_many] if too_many else before
        self._keep(url, [*kept, (submission, at, number, sender)])
        for entry in (*instead_of, *too_many):
            self._count[entry[2]] -= 1

    def drop(self, url: bytes, submission: bytes) -> None:
        """Let a submission wait no more."""
        packed = self._entries.take(url)
        if not packed:
            return
        kept = []
        for entry in _ENTRY.iter_unpack(packed):
            if entry[0] == submission:
                self._count[entry[2]] -= 1
            else:
                kept.append(entry)
        if kept:
            self._keep(url, kept)

    def _keep(self, url: bytes, entries: Sequence[Entry]) -> None:
        if entries:
            self._entries[url] = b"".join(_ENTRY.pack(*entry) for entry in entries)
        else:
            self._entries.discard(url)
