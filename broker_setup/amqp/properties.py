"""Properties on the wire: written from a message, and read from a content header, whatever a stranger wrote there.

What a publisher may write and nobody can read gets a readable stand-in, so that its message can be parked: a short text
that is not UTF-8, a time beyond the year 9999 (a grader that counts in microseconds), a header table that tables.py
does not read, a delivery mode that is neither 1 nor 2, an expiration that is no number.
"""

import contextlib
import struct
from collections.abc import Callable
from datetime import UTC, datetime
from operator import attrgetter
from typing import Any

from .frames import short_text, usual_text
from .messages import PERSISTENT, TRANSIENT, Properties
from .tables import read_table, write_table

_MORE_FLAGS = 1
_NO_HEADERS: dict[str, Any] = {}
_EPOCH = datetime.fromtimestamp(0, UTC)
_flags = struct.Struct(">H")
_time = struct.Struct(">Q")
_length = struct.Struct(">I")


def write_properties(of: Properties) -> bytes:
    """Write flags and properties; raise ValueError, OverflowError or TypeError for one that AMQP has no room for."""
    flags, parts = 0, [b""]
    for (flag, _, write, _), value in zip(_FIELDS, _values(of), strict=True):
        if value is not None and value != _NO_HEADERS:
            flags |= flag
            parts.append(write(value))
    parts[0] = _flags.pack(flags)
    return b"".join(parts)


def read_properties(into: Properties, raw: bytes) -> None:
    """Read the flags and the properties that are all of `raw`, up to where they are cut."""
    with contextlib.suppress(struct.error, IndexError):
        [flags] = _flags.unpack_from(raw)
        at, more = _flags.size, flags
        while more & _MORE_FLAGS:  # of classes that we don't have
            [more] = _flags.unpack_from(raw, at)
            at += _flags.size
        for flag, name, _, read in _FIELDS:
            if flags & flag:
                at, value = read(raw, at)
                setattr(into, name, value)


def _read_text(raw: bytes, at: int) -> tuple[int, str]:
    end = at + 1 + raw[at]
    text = raw[at + 1 : end]
    try:
        return end, text.decode()
    except UnicodeDecodeError:
        # ASCII, so that it is not longer than it was and fits a short string again.
        return end, text.decode("ascii", errors="replace").replace("\N{REPLACEMENT CHARACTER}", "?")


def _read_headers(raw: bytes, at: int) -> tuple[int, dict[str, Any]]:
    try:
        return read_table(raw, at)
    except ValueError:
        # One entry can't be skipped without knowing its length, so all of the table counts as empty.
        return at + _length.size + _length.unpack_from(raw, at)[0], {}


def _read_mode(raw: bytes, at: int) -> tuple[int, int]:
    return at + 1, raw[at] if raw[at] in {TRANSIENT, PERSISTENT} else TRANSIENT


def _read_octet(raw: bytes, at: int) -> tuple[int, int]:
    return at + 1, raw[at]


def _read_expiration(raw: bytes, at: int) -> tuple[int, str | None]:
    end, text = _read_text(raw, at)
    try:
        float(text)
    except ValueError:
        # Of no use to whoever has the message already: it says when the broker would have let it go.
        return end, None
    return end, text


def _write_time(time: datetime) -> bytes:
    return int(time.timestamp()).to_bytes(_time.size)


def _read_time(raw: bytes, at: int) -> tuple[int, datetime]:
    [seconds] = _time.unpack_from(raw, at)
    try:
        return at + _time.size, datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return at + _time.size, _EPOCH


def _write_octet(value: int) -> bytes:
    return value.to_bytes()


# A property's flag, its name here, how it is written and read; in the order in which they stand on the wire.
_FIELDS: tuple[tuple[int, str, Callable[[Any], bytes], Callable[[bytes, int], tuple[int, Any]]], ...] = (
    (1 << 15, "content_type", usual_text, _read_text),
    (1 << 14, "content_encoding", usual_text, _read_text),
    (1 << 13, "headers", write_table, _read_headers),
    (1 << 12, "delivery_mode", _write_octet, _read_mode),
    (1 << 11, "priority", _write_octet, _read_octet),
    (1 << 10, "correlation_id", short_text, _read_text),
    (1 << 9, "reply_to", usual_text, _read_text),
    (1 << 8, "expiration", short_text, _read_expiration),
    (1 << 7, "message_id", short_text, _read_text),
    (1 << 6, "timestamp", _write_time, _read_time),
    (1 << 5, "type", usual_text, _read_text),
    (1 << 4, "user_id", usual_text, _read_text),
    (1 << 3, "app_id", usual_text, _read_text),
)
_values = attrgetter(*(name for _, name, _, _ in _FIELDS))
