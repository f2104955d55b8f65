"""What the console keeps of each event, packed: what a person is told, and nothing that stands elsewhere."""

from collections.abc import Callable, Iterator, Mapping
from struct import Struct as Packing
from typing import Any

import msgspec

from broker_setup.ledger.events import (
    AnyEvent,
    Discarded,
    Extended,
    Graded,
    Leased,
    Parked,
    Redriven,
    Retired,
    Submitted,
    Undeliverable,
)
from broker_setup.operator.trace.history import Step

# Of a lease's key: enough to tell the leases of one submission apart.
KEY_BYTES = 4
# Of texts: a reason can be as long as a stranger's reply.
MAX_TEXT = 400
# Events of one submission: a lease can be extended ten thousand times. The first and the newest are shown.
MAX_STEPS = 300
# Of submissions that came together; what happens beyond is not kept, only how they stand.
MOST_BYTES = 64 * 1024 * 1024

# Where the event before it of the same submission stands (one more than that, 0: nowhere), how many bytes follow, the
# number of its writer, whether it was void.
_HEAD = Packing("<IHH?")
_encode = msgspec.msgpack.Encoder().encode
_decode: Callable[[bytes], AnyEvent] = msgspec.msgpack.Decoder(AnyEvent).decode


def _shortened(event: Any) -> AnyEvent:
    shorter: AnyEvent = msgspec.structs.replace(
        event, submission=b"", queue="", url=b"", reason=event.reason[:MAX_TEXT]
    )
    return shorter


_KEEPS: Mapping[type, Callable[[Any], AnyEvent]] = {
    Submitted: lambda event: Submitted(event.at, b"", ""),
    Leased: lambda event: Leased(
        event.at, b"", "", b"", event.key[:KEY_BYTES], event.expires_at, "", event.attempt, b"", event.grader
    ),
    Extended: lambda event: Extended(
        event.at, b"", event.key[:KEY_BYTES], event.expires_at, event.refused[:MAX_TEXT], b"", event.again
    ),
    Graded: lambda event: Graded(event.at, b"", "", b"", event.key[:KEY_BYTES], b"", event.odd[:MAX_TEXT]),
    Parked: _shortened,
    Retired: _shortened,
    Redriven: lambda event: msgspec.structs.replace(event, submission=b"", queue="", url=b""),
    Undeliverable: lambda event: msgspec.structs.replace(event, submission=b"", reason=event.reason[:MAX_TEXT]),
    Discarded: lambda event: msgspec.structs.replace(event, submission=b"", reason=event.reason[:MAX_TEXT]),
}


def _named(event: Any) -> AnyEvent:
    kept: AnyEvent = msgspec.structs.replace(event, submission=b"")
    return kept


def _may_be_cut(event: Any) -> bool:
    # An extension may stand for those before it.
    if isinstance(event, Extended) and not event.refused:
        return True
    return any(len(getattr(event, text, "")) >= MAX_TEXT for text in ("reason", "refused", "odd"))


def whole(event: AnyEvent, submission: bytes, queue: str) -> AnyEvent:
    """Return a kept event with what was left out as its submission says it."""
    if hasattr(event, "queue"):
        return msgspec.structs.replace(event, submission=submission, queue=queue)
    return msgspec.structs.replace(event, submission=submission)


class KeptEvents:
    """The events of some thousand submissions, each with a way back to the one before it."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def __len__(self) -> int:
        return len(self._bytes)

    def add(self, event: AnyEvent, before: int, writer: int, *, void: bool) -> int:
        """Keep an event behind `before`, the place of the newest of its submission (0: none); return its own place.

        A lease can be extended each second for days: of its extensions the newest is kept, in the place of the others.
        """
        if len(self._bytes) >= MOST_BYTES:
            return before
        if isinstance(event, Extended) and not void and self._renewed(before, event):
            return before
        kept = _encode(_KEEPS.get(type(event), _named)(event))
        place = len(self._bytes) + 1
        self._bytes += _HEAD.pack(before, len(kept), writer, void) + kept
        return place

    def _renewed(self, place: int, event: Extended) -> bool:
        if not place or event.refused:
            return False
        begin = place - 1 + _HEAD.size
        _, length, _, void = _HEAD.unpack_from(self._bytes, place - 1)
        before, kept = _decode(bytes(self._bytes[begin : begin + length])), _encode(_KEEPS[Extended](event))
        if void or not isinstance(before, Extended) or before.refused or before.key != event.key[:KEY_BYTES]:
            return False
        if len(kept) != length:
            return False
        self._bytes[begin : begin + length] = kept
        return True

    def steps(self, newest: int, writers: list[str]) -> Iterator[Step]:
        """Yield the events of a submission, the newest first."""
        at, number = newest, 0
        while at and number < MAX_STEPS:
            before, size, writer, void = _HEAD.unpack_from(self._bytes, at - 1)
            start = at - 1 + _HEAD.size
            yield Step(_decode(bytes(self._bytes[start : start + size])), writers[writer], void)
            at, number = before, number + 1

    def are_whole(self, newest: int) -> bool:
        """Say whether nothing was left out of the events of a submission: none of them, and no part of a text."""
        steps = list(self.steps(newest, [""] * 2**16))
        return len(self) < MOST_BYTES and len(steps) < MAX_STEPS and not any(_may_be_cut(step.event) for step in steps)
