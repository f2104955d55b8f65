"""Whether an operator has paused a queue, as the broker said when it was last asked."""

import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from gateway.leasing.demand import SEEN_SECONDS

log = logging.getLogger(__name__)

_NEVER = float("-inf")


class PauseSeen:
    """What was seen of one queue's pause, and when."""

    def __init__(self, queue: str, ask: Callable[[], Awaitable[bool]]) -> None:
        """`ask` has the broker say whether the queue is paused, or raises BrokerUnavailableError."""
        self._queue = queue
        self._ask = ask
        self._seen_at = _NEVER
        self.is_paused = False

    @property
    def is_paused_lately(self) -> bool:
        """Whether the queue is paused, as was seen lately: it is looked at once between."""
        return self.is_paused and self.age(monotonic()) < 2 * SEEN_SECONDS

    def age(self, now: float) -> float:
        """Say how long ago (seconds; infinity for never) that was seen, at `now` of the monotonic clock."""
        return now - self._seen_at

    def forget(self) -> None:
        """Have it looked at anew: something may have happened."""
        self._seen_at = _NEVER

    def still_holds(self) -> None:
        """Take what was seen for seen now."""
        self._seen_at = monotonic()

    async def look(self) -> None:
        """Ask the broker, and say in the log if that has changed; raise BrokerUnavailableError if it does not say."""
        paused = await self._ask()
        if paused != self.is_paused:
            what = "paused by an operator" if paused else "paused no more"
            log.info("queue %s: %s", self._queue, what, extra={"queue": self._queue})
        self.is_paused = paused
        self.still_holds()
