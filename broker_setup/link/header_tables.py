"""Reads header tables that strangers wrote: in time that goes with their size, and as RabbitMQ itself reads them.

pamqp copies all that is left of a table at each of its values: one message of 125 KB that holds nothing but a list of
nulls costs it some ten seconds of the event loop, in which heartbeats are missed, so that the broker takes the
connection for dead and delivers the message again, for ever. Where a key stands twice, RabbitMQ goes by the first and
pamqp by the last: a copy would have the value that RabbitMQ did not look at when it took the message, and could be
refused for ever.
"""

import struct

from pamqp import common, decode

# The most values in one table, those of nested tables included, and how deep they may be nested. A result has some
# twenty values, and ten more for each queue that it was dead-lettered from.
MOST_VALUES = 1_000
MOST_LEVELS = 20
# The most bytes of a value whose kind has no length before it.
_FIXED_BYTES = 8
_LENGTH_BYTES = 4


def read_table(value: bytes) -> tuple[int, common.FieldTable]:
    """Return how many bytes the table at the beginning of `value` takes, and the table; raise ValueError."""
    try:
        return _Reader(value).table(0, len(value))
    except (struct.error, IndexError, ArithmeticError) as error:
        raise ValueError(f"no table: {error!r}") from error


class _Reader:
    """Reads one table; what it hands out begins at `at` and must end by `end`."""

    def __init__(self, value: bytes) -> None:
        self._bytes = value
        self._values = 0
        self._level = 0

    def table(self, at: int, end: int) -> tuple[int, common.FieldTable]:
        at, end = self._enter(at, end)
        table: common.FieldTable = {}
        while at < end:
            key_ends = at + 1 + self._bytes[at]
            key = self._bytes[at + 1 : key_ends].decode()
            if key in table:
                raise ValueError("a key stands there twice")
            at, table[key] = self._value(key_ends, end)
        self._leave(at, end)
        return end, table

    def _list(self, at: int, end: int) -> tuple[int, common.FieldArray]:
        at, end = self._enter(at, end)
        values: common.FieldArray = []
        while at < end:
            at, value = self._value(at, end)
            values.append(value)
        self._leave(at, end)
        return end, values

    def _enter(self, at: int, end: int) -> tuple[int, int]:
        self._level += 1
        begins = at + _LENGTH_BYTES
        ends = begins + self._length(at)
        if self._level > MOST_LEVELS or ends > end:
            raise ValueError("too deep, or cut")
        return begins, ends

    def _leave(self, at: int, end: int) -> None:
        self._level -= 1
        if at != end:
            raise ValueError("its last value is longer than it")

    def _value(self, at: int, end: int) -> tuple[int, common.FieldValue]:
        self._values += 1
        if self._values > MOST_VALUES or at >= end:
            raise ValueError("too many values, or cut")
        kind, at = self._bytes[at : at + 1], at + 1
        if kind == b"F":
            return self.table(at, end)
        if kind == b"A":
            return self._list(at, end)
        if kind not in decode.TABLE_MAPPING:
            raise ValueError("a value of an unknown kind")
        size = _LENGTH_BYTES + self._length(at) if kind in {b"S", b"x"} else _FIXED_BYTES
        taken, value = decode.TABLE_MAPPING[kind](self._bytes[at : min(at + size, end)])
        return at + taken, value

    def _length(self, at: int) -> int:
        length: int = struct.unpack_from(">I", self._bytes, at)[0]
        return length
