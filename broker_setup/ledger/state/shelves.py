"""A map for a million small things: keys and values stand side by side in some thousand strings of bytes."""

from collections.abc import Iterator, MutableMapping

# Of a million records 30 are on each: they are searched in less than a microsecond, and the object around them is small
# beside them. For fewer there are fewer, down to what an empty map has.
_SHELVES = 2**15
_FIRST_SHELVES = 2**4


class Shelves(MutableMapping[bytes, bytes]):
    """A map of keys that have one size and values that have one: each pair takes little more than its bytes.

    In a dict 20 bytes take 100. A pair of other sizes stands in one, beside the shelves: let there be few of those.
    """

    def __init__(self, *, key_bytes: int, value_bytes: int) -> None:
        self._key_bytes = key_bytes
        self._record_bytes = key_bytes + value_bytes
        # By a hash that no stranger can foresee; on each shelf in the order in which they were put there.
        self._shelves = [b""] * min(_FIRST_SHELVES, _SHELVES)
        self._misfits: dict[bytes, bytes] = {}
        self._shelved = 0

    def __len__(self) -> int:
        return self._shelved + len(self._misfits)

    def __iter__(self) -> Iterator[bytes]:
        for shelf in self._shelves:
            for start in range(0, len(shelf), self._record_bytes):
                yield shelf[start : start + self._key_bytes]
        yield from self._misfits

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self.find(key) is not None

    def __getitem__(self, key: bytes) -> bytes:
        value = self.find(key)
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: bytes, value: bytes) -> None:
        self.discard(key)
        self.add(key, value)

    def __delitem__(self, key: bytes) -> None:
        if not self.discard(key):
            raise KeyError(key)

    def add(self, key: bytes, value: bytes) -> None:
        """Put a pair there whose key is not there yet."""
        record = key + value
        if len(key) == self._key_bytes and len(record) == self._record_bytes:
            shelves = self._shelves
            shelves[hash(key) % len(shelves)] += record
            self._shelved += 1
            if self._shelved > len(shelves) < _SHELVES:
                self._build_more()
        else:
            self._misfits[key] = value

    def find(self, key: bytes) -> bytes | None:
        """Return the value of a key, None if it has none."""
        if len(key) != self._key_bytes:
            return self._misfits.get(key)
        shelves = self._shelves
        shelf = shelves[hash(key) % len(shelves)]
        start = shelf.rfind(key)  # the newest is asked for most
        if start > 0 and start % self._record_bytes:
            start = self._exactly(shelf, key, start)
        if start < 0:
            return self._misfits.get(key)
        return shelf[start + self._key_bytes : start + self._record_bytes]

    def take(self, key: bytes) -> bytes | None:
        """Take a key and its value away; return the value, None if it had none."""
        if len(key) != self._key_bytes:
            return self._misfits.pop(key, None)
        number = hash(key) % len(self._shelves)
        shelf = self._shelves[number]
        start = shelf.rfind(key)  # the newest is asked for most
        if start > 0 and start % self._record_bytes:
            start = self._exactly(shelf, key, start)
        if start < 0:
            return self._misfits.pop(key, None)
        end = start + self._record_bytes
        self._shelves[number] = shelf[:start] + shelf[end:]
        self._shelved -= 1
        return shelf[start + self._key_bytes : end]

    def discard(self, key: bytes) -> bool:
        """Take a key and its value away; say whether it was there."""
        return self.take(key) is not None

    def discard_below(self, limit: bytes) -> list[bytes]:
        """Take away what is less than `limit`, up to the first value of a shelf that is not; return the keys."""
        key_bytes, record_bytes = self._key_bytes, self._record_bytes
        gone = [key for key, value in self._misfits.items() if value < limit]
        for key in gone:
            del self._misfits[key]
        for number, shelf in enumerate(self._shelves):
            start = 0
            while start < len(shelf) and shelf[start + key_bytes : start + record_bytes] < limit:
                gone.append(shelf[start : start + key_bytes])
                start += record_bytes
            if start:
                self._shelves[number] = shelf[start:]
                self._shelved -= start // record_bytes
        return gone

    def _exactly(self, shelf: bytes, key: bytes, start: int) -> int:
        """Return where a key's record begins, or -1; at `start` its bytes stand in the middle of others, by chance."""
        while start > 0 and start % self._record_bytes:
            start = shelf.rfind(key, 0, start + self._key_bytes - 1)
        return start

    def _build_more(self) -> None:
        """Double the shelves. What comes on a new one came from one old one, and keeps its order."""
        more = [b""] * (2 * len(self._shelves))
        for shelf in self._shelves:
            for start in range(0, len(shelf), self._record_bytes):
                record = shelf[start : start + self._record_bytes]
                more[hash(record[: self._key_bytes]) % len(more)] += record
        self._shelves = more
