"""Applies the frames of the ledger, each once and in order, and knows the place in the stream that it has come to."""

import logging
from collections.abc import Callable
from time import monotonic

from msgspec import Struct

from broker_setup.errors import BadMessageError
from broker_setup.ledger.frames import Frame, decode_frame

log = logging.getLogger(__name__)


class Position(Struct, frozen=True, gc=False):
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
        self.events = 0  # how many there were
        self.unknown = 0  # events that could not be read
        self.is_replay = False
        self._began = self._took = 0.0  # the last replay: when, by the monotonic clock, and for how long

    def apply_at(self, offset: int, body: bytes) -> Frame | None:
        """Apply the frame at an offset that comes after the last one; return it, None if it was that itself.

        Raise OtherStreamError where the stream is another than before: all of it is still to be read.
        """
        try:
            frame = decode_frame(body)
        except BadMessageError as error:
            log.warning("skipping a frame of the ledger at offset %s: %s", offset, error)
            frame = Frame(b"", "", ())
        self._note_unknown(frame)
        last = self.last or BEGINNING
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
        self.events += len(frame.events)
        self._apply_safely(frame)
        return frame

    @property
    def replay_seconds(self) -> float:
        """How long the last replay took, or has taken by now."""
        return monotonic() - self._began if self.is_replay else self._took

    def begin_replay(self) -> None:
        """Note that everything is read from the start, perhaps once more."""
        self.is_replay, self._began = True, monotonic()

    def end_replay(self) -> None:
        """Write down what was applied in the replay, and how long that took."""
        self._took = self.replay_seconds
        self.is_replay = False
        log.info("replayed %d events of the ledger in %.1f s, passed over %d", self.events, self._took, self.unknown)

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
