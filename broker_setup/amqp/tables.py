"""Header tables: written from plain values, and read, whoever wrote them, in time that goes with their size.

A reader that copies all that is left of a table at each of its values, as pamqp's does, takes some ten seconds of the
event loop for one message of 125 KB that holds nothing but a list of nulls: heartbeats are missed, the broker takes the
connection for dead and delivers the message again, for ever. Where a key stands twice, RabbitMQ goes by the first and
pamqp by the last: a copy would have the value that RabbitMQ did not look at when it took the message, and could be
refused for ever.
"""

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from pamqp import decode, encode

# The most values in one table, those of nested tables included, and how deep they may be nested. A result has some
# twenty values, and ten more for each queue that it was dead-lettered from.
MOST_VALUES = 1_000
MOST_LEVELS = 20
# The most bytes of a value whose kind has no length before it.
_FIXED_BYTES = 8
_LENGTH_BYTES = 4
_TEXT, _INTEGER = ord("S"), ord("l")
_length = struct.Struct(">I").unpack_from
_text_head = struct.Struct(">cI").pack
_number = struct.Struct(">cq").pack
_integer = struct.Struct(">q").unpack_from
# What a name on the wire has room for, in bytes, with the length before it.
_MAX_NAME_BYTES = 128
_HALF = 2**63  # beyond it a number has no room


def write_table(headers: Mapping[str, Any]) -> bytes:
    """Write a table; raise TypeError for a value that AMQP has no kind for, ValueError for a name that is too long."""
    parts: list[bytes] = []
    for name, value in headers.items():
        parts.append(_key(name))
        if type(value) is str:
            text = value.encode()
            parts += (_text_head(b"S", len(text)), text)
        elif type(value) is int and -_HALF <= value < _HALF:
            parts.append(_number(b"l", value))
        else:
            parts.append(encode.encode_table_value(value))
    table = b"".join(parts)
    return len(table).to_bytes(4) + table


@lru_cache(1000)
def _key(name: str) -> bytes:
    key = name.encode()
    if len(key) > _MAX_NAME_BYTES:
        raise ValueError(f"a header's name has {len(key)} bytes, more than {_MAX_NAME_BYTES}")
    return len(key).to_bytes() + key


def read_table(value: bytes, at: int = 0) -> tuple[int, dict[str, Any]]:
    """Return where the table that begins at `at` in `value` ends, and the table; raise ValueError if it is none."""
    try:
        return _Reader(value).table(at, len(value))
    except (struct.error, IndexError, ArithmeticError) as error:
        raise ValueError(f"no table: {error!r}") from error


class _Reader:
    """Reads one table; what it hands out begins at `at` and must end by `end`."""

    def __init__(self, value: bytes) -> None:
        self._bytes = value
        self._values = 0
        self._level = 0

    def table(self, at: int, end: int) -> tuple[int, dict[str, Any]]:
        at, end = self._enter(at, end)
        table: dict[str, Any] = {}
        while at < end:
            key_ends = at + 1 + self._bytes[at]
            key = self._bytes[at + 1 : key_ends].decode()
            if key in table:
                raise ValueError("a key stands there twice")
            at, table[key] = self._value(key_ends, end)
        self._leave(at, end)
        return end, table

    def _list(self, at: int, end: int) -> tuple[int, list[Any]]:
        at, end = self._enter(at, end)
        values: list[Any] = []
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

    def _value(self, at: int, end: int) -> tuple[int, Any]:
        self._values += 1
        if self._values > MOST_VALUES or at >= end:
            raise ValueError("too many values, or cut")
        if self._bytes[at] == _TEXT:
            ends = at + 1 + _LENGTH_BYTES + self._length(at + 1)
            return ends, _text(self._bytes[at + 1 + _LENGTH_BYTES : ends])
        if self._bytes[at] == _INTEGER:
            return at + 1 + _FIXED_BYTES, _integer(self._bytes, at + 1)[0]
        kind, at = self._bytes[at : at + 1], at + 1
        if kind == b"F":
            return self.table(at, end)
        if kind == b"A":
            return self._list(at, end)
        if kind not in decode.TABLE_MAPPING:
            raise ValueError("a value of an unknown kind")
        size = _LENGTH_BYTES + self._length(at) if kind == b"x" else _FIXED_BYTES
        taken, value = decode.TABLE_MAPPING[kind](self._bytes[at : min(at + size, end)])
        return at + taken, value

    def _length(self, at: int) -> int:
        length: int = _length(self._bytes, at)[0]
        return length


def _text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw
