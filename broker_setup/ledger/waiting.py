"""What waits, by callback URL: which submissions a newer one of the same URL could take the place of."""

from collections.abc import Sequence
from struct import Struct as Packing

# A submission that waits: uuid, when it was submitted, number of its queue. Packed, for there may be a million of them.
_ENTRY = Packing("16sdI")

# The same, unpacked.
Entry = tuple[bytes, float, int]


class Waiting:
    """The submissions that have not ended, by the hash of their callback URL, in the ledger's order."""

    def __init__(self) -> None:
        self._entries: dict[bytes, bytes] = {}
        self._queues: dict[str, int] = {}

    def at(self, url: bytes) -> list[Entry]:
        """Return what waits for `url`."""
        packed = self._entries.get(url)
        return list(_ENTRY.iter_unpack(packed)) if packed else []

    def queue_of(self, entry: Entry) -> str:
        """Return the queue of an entry."""
        return list(self._queues)[entry[2]]

    def put(self, url: bytes, before: Sequence[Entry], submission: bytes, at: float, queue: str) -> None:
        """Let a submission wait behind those `before` it, which are all that waits for `url` besides."""
        number = self._queues.setdefault(queue, len(self._queues))
        self._keep(url, [*before, (submission, at, number)])

    def drop(self, url: bytes, submission: bytes) -> None:
        """Let a submission wait no more."""
        if url in self._entries:
            self._keep(url, [entry for entry in self.at(url) if entry[0] != submission])

    def _keep(self, url: bytes, entries: Sequence[Entry]) -> None:
        if entries:
            self._entries[url] = b"".join(_ENTRY.pack(*entry) for entry in entries)
        else:
            self._entries.pop(url, None)
