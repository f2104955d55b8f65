"""Whether this machine's clock agrees with those of the others who write the ledger; no I/O.

Each frame says when it was sent, by its writer's clock. Reading it takes a moment, and at times longer: so of each
writer the sample that is farthest ahead in a while is the nearest to the truth, and one that is ahead of us proves that
the two clocks differ by that much or more.
"""

import logging
from math import inf
from statistics import median_high, median_low

from msgspec import Struct

from broker_setup.ledger.heard import DOUBT_SECONDS

log = logging.getLogger(__name__)

# What is worth a line in the log: clocks that are kept by NTP agree to some milliseconds.
WARN_SECONDS = 2.0
# A lease that was read while it was new is measured here, and no clock can end it. But whoever starts has only clocks
# to tell by how long the leases run that it finds in the ledger: as far as two of them may differ, it waits longer.
MAX_SECONDS = DOUBT_SECONDS / 2
# For so long a sample counts. A gateway that is off, and hears nobody any more, tries again after that.
SAMPLE_SECONDS = 60.0
MAX_WRITERS = 1_000
# For so long a verdict counts, unless a new sample comes: each poll asks for one.
VERDICT_SECONDS = 1.0


class _Sample(Struct, frozen=True):
    offset: float
    at: float


class Agreement:
    """Takes samples of the others' clocks; says how far ours is off, and whether that is too much."""

    def __init__(self, me: str) -> None:
        """`me` is the writer whose clock is ours."""
        self._me = me
        self._others: dict[str, _Sample] = {}
        self._warned_of: set[str] = set()
        self._verdict, self._judged_at = "", -inf

    def hear(self, writer: str, at: float, now: float, *, late: bool) -> None:
        """Take in that a frame was sent at `at` and read at `now`; if it may have been `late`, only its lead counts."""
        offset = at - now
        if writer == self._me or not at or (late and offset <= 0):
            return
        last = self._others.get(writer)
        if last is None or offset >= last.offset or not 0 <= now - last.at <= SAMPLE_SECONDS:
            if len(self._others) >= MAX_WRITERS:
                self._others.clear()
            self._others[writer] = _Sample(offset, now)
            self._judged_at = -inf
        self._warn_of(writer, offset)

    def off(self, now: float) -> float:
        """Say how far our clock is ahead of most of those that write (seconds; negative: behind).

        Of two that disagree nobody can say which is right: there it is 0.
        """
        offsets = [each.offset for each in self._others.values() if 0 <= now - each.at <= SAMPLE_SECONDS]
        middle = [median([0.0, *offsets]) for median in (median_low, median_high)]
        return -min(middle, key=abs)

    def problem(self, now: float) -> str:
        """Say why nothing may be leased here; empty if our clock is right as far as is known."""
        if not 0 <= now - self._judged_at < VERDICT_SECONDS:
            self._verdict, self._judged_at = self._judge(now), now
        return self._verdict

    def _judge(self, now: float) -> str:
        off = self.off(now)
        if abs(off) <= MAX_SECONDS:
            return ""
        which = "ahead of" if off > 0 else "behind"
        return f"this machine's clock is {abs(off):.0f} s {which} the others': nothing is handed out until they agree"

    def _warn_of(self, writer: str, offset: float) -> None:
        if offset < WARN_SECONDS:
            if abs(offset) < WARN_SECONDS:
                self._warned_of.discard(writer)
        elif writer not in self._warned_of:
            if len(self._warned_of) >= MAX_WRITERS:
                self._warned_of.clear()
            self._warned_of.add(writer)
            log.warning(
                "the clock of %s is %.1f s ahead of this machine's, or more: one of them is wrong, is NTP running?",
                writer,
                offset,
            )
