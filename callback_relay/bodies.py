"""How many bytes of what AMQP graders sent are in memory at once; what is beyond waits without its body; no I/O.

AMQP bounds deliveries by their number alone, and the room for those is made for replies of some kilobytes.
"""

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from broker_setup.amqp.messages import Arrival
from broker_setup.link.settling import Hold

# One message of the largest size there is, or six replies of MAX_REPLY_SIZE. Checking and copying take several times
# the size of one, all within what docs/security.md promises.
MOST_BYTES = 16 * 1024 * 1024
# What is not counted: of these a relay may have as many as its room is for, 8 MiB at the default.
SMALL_BYTES = 64 * 1024
# The broker delivers at once what goes back. What has not come by then never does: its sender let it expire, say.
COMING_SECONDS = 5.0


class _Waiting(NamedTuple):
    size: int
    hold: Hold


class Bodies:
    """Counts the bodies at hand; keeps the holds of those deliveries that found no room, the oldest first."""

    def __init__(
        self, most: int = MOST_BYTES, small: int = SMALL_BYTES, clock: Callable[[], float] = monotonic
    ) -> None:
        """Have room for `most` bytes, and for any number of bodies of up to `small` bytes."""
        self._most = most
        self._small = small
        self._sizes: dict[int, int] = {}  # by id(): a message is in memory for as long as it stands here
        self._taken = 0
        self._waiting: deque[_Waiting] = deque()
        self._coming: deque[float] = deque()  # until when each of those is waited for that was given back
        self._clock = clock

    def takes(self, message: Arrival) -> bool:
        """Count a delivery, or say that there is no room: then its hold is kept here, and the caller lets it go."""
        size = len(message.body)
        if size <= self._small:
            return True
        if message.redelivered and self._coming:
            self._coming.popleft()
        # Whoever came first goes first: else what is new takes the room for which an older one was given back.
        is_behind = not message.redelivered and (self._waiting or self._is_one_coming())
        if is_behind or not self._fits(size):
            self._waiting.append(_Waiting(size, Hold.of(message)))
            return False
        self._sizes[id(message)] = size
        self._taken += size
        return True

    def ended(self, message: Arrival) -> None:
        """Note that a delivery is settled."""
        self._taken -= self._sizes.pop(id(message), 0)

    def next(self) -> Hold | None:
        """Return one that waits and would fit now, for it to go back to its queue, from where it comes again.

        One at a time: two that come back may not fit both. Where one never comes, purged say, the others do when all
        room is free, or after a while.
        """
        is_one_coming = self._taken and self._is_one_coming()
        if self._waiting and not is_one_coming and self._fits(self._waiting[0].size):
            self._coming.append(self._clock() + COMING_SECONDS)
            return self._waiting.popleft().hold
        return None

    def lost(self) -> None:
        """Forget all: their channel is gone, and the broker delivers them again."""
        self._sizes.clear()
        self._waiting.clear()
        self._coming.clear()
        self._taken = 0

    def _is_one_coming(self) -> bool:
        while self._coming and self._coming[0] <= self._clock():
            self._coming.popleft()
        return bool(self._coming)

    def _fits(self, size: int) -> bool:
        # What is larger than all there is has it alone.
        return not self._taken or self._taken + size <= self._most
