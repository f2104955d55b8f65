"""A map for a million small things: keys and values stand side by side in some thousand strings of bytes."""

from collections.abc import Iterator, MutableMapping

# Of a million records 30 are on each: they are searched in less than a microsecond, and the object around them is small
# beside them.
_SHELVES = 2**15


class Shelves(MutableMapping[bytes, bytes]):
    """A map of keys that have one size and values that have one: each pair takes little more than its bytes.

    In a dict 20 bytes take 100. A pair of other sizes stands in one, beside the shelves: let there be few of those.
    """

    def __init__(self, *, key_bytes: int, value_bytes: int) -> None:
        self._key_bytes = key_bytes
        self._record_bytes = key_bytes + value_bytes
        # By a hash that no stranger can foresee; on each shelf in the order in which they were put there.
        self._shelves: dict[int, bytes] = {}
        self._misfits: dict[bytes, bytes] = {}
        self._shelved = 0

    def __len__(self) -> int:
        return self._shelved + len(self._misfits)

    def __iter__(self) -> Iterator[bytes]:
        for shelf in self._shelves.values():
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
            number = hash(key) % _SHELVES
            self._shelves[number] = self._shelves.get(number, b"") + record
            self._shelved += 1
        else:
            self._misfits[key] = value

    def find(self, key: bytes) -> bytes | None:
        """Return the value of a key, None if it has none."""
        shelf = self._shelves.get(hash(key) % _SHELVES, b"")
        start = shelf.rfind(key)  # the newest is asked for most
        if start >= 0:
            start = self._exactly(shelf, key, start)
        if start < 0:
            return self._misfits.get(key)
        return shelf[start + self._key_bytes : start + self._record_bytes]

    def discard(self, key: bytes) -> bool:
        """Take a key and its value away; say whether it was there."""
        number = hash(key) % _SHELVES
        shelf = self._shelves.get(number, b"")
        start = shelf.rfind(key)  # the newest is asked for most
        if start >= 0:
            start = self._exactly(shelf, key, start)
        if start < 0:
            return self._misfits.pop(key, None) is not None
        self._put(number, shelf[:start] + shelf[start + self._record_bytes :])
        return True

    def discard_below(self, limit: bytes) -> list[bytes]:
        """Take away what is less than `limit`, up to the first value of a shelf that is not; return the keys."""
        key_bytes, record_bytes = self._key_bytes, self._record_bytes
        gone = [key for key, value in self._misfits.items() if value < limit]
        for key in gone:
            del self._misfits[key]
        for number, shelf in list(self._shelves.items()):
            start = 0
            while start < len(shelf) and shelf[start + key_bytes : start + record_bytes] < limit:
                gone.append(shelf[start : start + key_bytes])
                start += record_bytes
            if start:
                self._put(number, shelf[start:])
        return gone

    def _exactly(self, shelf: bytes, key: bytes, start: int) -> int:
        """Return where the record of a key begins, whose bytes stand last on the shelf at `start`; or -1."""
        if len(key) != self._key_bytes:
            return -1
        while start > 0 and start % self._record_bytes:  # in the middle of others, by chance
            start = shelf.rfind(key, 0, start + self._key_bytes - 1)
        return start

    def _put(self, number: int, shelf: bytes) -> None:
        """Put back what is left of a shelf."""
        self._shelved -= (len(self._shelves[number]) - len(shelf)) // self._record_bytes
        if shelf:
            self._shelves[number] = shelf
        else:
            del self._shelves[number]
