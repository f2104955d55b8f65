"""The relay's room for deliveries, and who may have how much of it; no I/O.

All LMSs share it. Those that never answered, or take long, have half of it between them: whoever submits may name any
number of hosts that hang. What comes straight from AMQP graders has room of its own, no part of the rest's.
"""

from typing import Generic, TypeVar

from callback_relay.job import Job
from callback_relay.pace import Pace

J = TypeVar("J", bound=Job)

# Beyond this part of its room the relay makes some; the rest is free for whoever comes.
HIGH_WATER = 0.75
# As much of it again for what comes unread.
UNREAD_SHARE = 0.5
# Of the room, for callbacks under way to all LMSs together that are not prompt.
SLOW_SHARE = 0.5


def unread_room(size: int) -> int:
    """Say for how many that come unread there is room beside `size` others."""
    return max(1, int(size * UNREAD_SHARE))


class Room(Generic[J]):
    """Counts what is at hand and under way."""

    def __init__(self, size: int, unread: int) -> None:
        """Have room for `size` deliveries, and for so many `unread` ones beside; make `size` callbacks at once."""
        self._size = size
        self._high_water = {False: max(1, int(size * HIGH_WATER)), True: max(1, int(unread * HIGH_WATER))}
        self._at_hand = {False: 0, True: 0}  # by whether they came unread
        self._slow_share = max(1, int(size * SLOW_SHARE))
        self._slow: set[J] = set()  # under way to those that are not prompt
        self._kept_back: dict[str, None] = {}  # LMSs that have something ready and wait for that share
        self.under_way = 0

    @property
    def at_hand(self) -> int:
        """How many are here."""
        return sum(self._at_hand.values())

    def is_scarce(self, *, unread: bool) -> bool:
        """Whether some is to be made for one kind, of that kind: no flood of the one sends the other away."""
        return self._at_hand[unread] > self._high_water[unread]

    def came(self, job: J) -> None:
        """Note that a job is here."""
        self._at_hand[job.unread] += 1

    def left(self, job: J) -> None:
        """Note that it is not here any more."""
        self._at_hand[job.unread] -= 1

    def admits(self, pace: Pace[J], now: float) -> bool:
        """Whether one more callback to this LMS may be under way."""
        if not pace.has_room(self._size - self.under_way):
            return False
        if pace.is_prompt(now) or len(self._slow) < self._slow_share:
            self._kept_back.pop(pace.origin, None)
            return True
        self._kept_back[pace.origin] = None
        return False

    def is_kept_back(self, pace: Pace[J]) -> bool:
        """Whether this LMS waits for the share of those that are not prompt."""
        return pace.origin in self._kept_back

    def began(self, job: J, pace: Pace[J], now: float) -> None:
        """Note that a callback is under way."""
        self.under_way += 1
        if not pace.is_prompt(now):
            self._slow.add(job)

    def ended(self, job: J) -> str | None:
        """Note that a callback has ended; return which LMS may go on now, beside its own."""
        self.under_way -= 1
        if job not in self._slow:
            return None
        self._slow.discard(job)
        origin = next(iter(self._kept_back), None)
        if origin is not None:
            del self._kept_back[origin]
        return origin
