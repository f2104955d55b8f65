"""Applies the frames of the ledger, each once and in order, and knows the place in the stream that it has come to."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from broker_setup.errors import BadMessageError
from broker_setup.ledger.frames import Frame, decode_frame

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Position:
    """A place in the stream: an offset, and the id of the frame that stands there, b"" where that is not known."""

    offset: int
    frame: bytes


# Before the first frame of a stream.
BEGINNING = Position(-1, b"")


class OtherStreamError(Exception):
    """Where we stand is another frame than before."""


class Applying:
    """Hands every frame to `apply`, once."""

    def __init__(self, apply: Callable[[Frame], None]) -> None:
        self._apply = apply
        self.last: Position | None = None  # the last frame that was applied; None: nothing is known yet
        self.unknown = 0  # events that could not be read

    def apply_all(self, frames: Sequence[Frame]) -> None:
        """Apply frames of a replay."""
        for frame in frames:
            self._note_unknown(frame)
            self._apply_safely(frame)

    def apply_at(self, offset: int, body: bytes, last: Position) -> Frame | None:
        """Apply the frame at an offset that comes after `last`; return it, None if it was that itself.

        Raise OtherStreamError where the stream is another than before: all of it is still to be read.
        """
        try:
            frame = decode_frame(body)
        except BadMessageError as error:
            log.warning("skipping a frame of the ledger at offset %s: %s", offset, error)
            frame = Frame(b"", "", ())
        self._note_unknown(frame)
        if offset == last.offset and frame.id == last.frame:
            return None
        if offset <= last.offset:
            # It was deleted and declared again and counts from 0, or a replica was made anew. The state is kept:
            # to apply again what it knows changes nothing.
            log.warning(
                "at offset %d of the ledger stands another frame than before: reading it from its start", offset
            )
            self.last = BEGINNING
            raise OtherStreamError
        self.last = Position(offset, frame.id)
        self._apply_safely(frame)
        return frame

    def _note_unknown(self, frame: Frame) -> None:
        before, self.unknown = self.unknown, self.unknown + frame.unknown
        if not before and frame.unknown:
            log.warning(
                "%s writes events to the ledger that this version can't read: they are passed over, the rest counts",
                frame.writer,
            )

    def _apply_safely(self, frame: Frame) -> None:
        try:
            self._apply(frame)
        except Exception:
            # A mistake of ours must not stop the reading: every later event would be lost on us.
            log.exception("frame %s of the ledger could not be applied", frame.id.hex())
