"""Whether the ledger still comes: RabbitMQ may stop delivering a stream to us and say nothing, its channel open."""

import random
from collections.abc import Callable
from enum import Enum, auto
from time import monotonic
from typing import TYPE_CHECKING

from broker_setup.errors import BrokerUnavailableError

if TYPE_CHECKING:
    import asyncio

# How often to look.
LOOK_SECONDS = 0.5
# When nothing has come for so long a marker is written, which costs each reader next to nothing.
QUIET_SECONDS = 3.0
# Not all readers at once: one's marker is a sign of life to all.
SPREAD = 1.3
# What is confirmed and does not come back in so many looks is proof. Looks, not seconds: a process that was frozen has
# read nothing meanwhile.
LOOKS_FOR_MARKER = 6
# When nothing has come for so long, what is known here is too old to answer by.
TOO_OLD_SECONDS = 8.0


class Sign(Enum):
    """What a look has found."""

    WELL = auto()
    TOO_OLD = auto()  # nothing has come for long, and it may be that nothing can be written either
    STALLED = auto()  # what is written is confirmed and does not come


class Life:
    """Looks after a consumer of the ledger; `write_marker` writes one, and returns what is done with its confirm."""

    def __init__(
        self, write_marker: Callable[[], "asyncio.Future[None]"], clock: Callable[[], float] = monotonic
    ) -> None:
        self._write_marker = write_marker
        self._clock = clock
        self._heard_at = clock()
        self._marker: asyncio.Future[None] | None = None
        self._looks = 0
        # Jitter for spreading load needs no cryptographic randomness.
        self._quiet = QUIET_SECONDS * random.uniform(1, SPREAD)  # noqa: S311

    def heard(self) -> None:
        """Note that something came."""
        self._heard_at = self._clock()
        self._marker = None

    def wrote(self, confirmed: "asyncio.Future[None]") -> None:
        """Note that a frame of ours is being written, which is as good as a marker."""
        if self._none_under_way:
            self._marker, self._looks = confirmed, 0

    def look(self) -> Sign:
        """Say how it stands, and write a marker where it is too quiet."""
        silence = self._clock() - self._heard_at
        if self._none_under_way:
            if silence >= self._quiet:
                self._begin()
        elif self._marker and self._marker.done():
            self._looks += 1
            if self._looks > LOOKS_FOR_MARKER:
                return Sign.STALLED
        return Sign.TOO_OLD if silence > TOO_OLD_SECONDS else Sign.WELL

    @property
    def _none_under_way(self) -> bool:
        """Whether no marker is under way: none was written, or it was not taken."""
        return self._marker is None or (self._marker.done() and self._marker.exception() is not None)

    def _begin(self) -> None:
        try:
            self._marker, self._looks = self._write_marker(), 0
        except BrokerUnavailableError:
            self._marker = None  # too much waits to be written already
