"""Names in the log a client that is sent to login/ again and again and never logs in: nothing else shows that.

Such as a watcher that follows redirects, whose session has ended: each poll is answered `login_required`, with 200, for
ever. The LMS is sent there once for each login, and so is every client that is well.
"""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

log = logging.getLogger(__name__)

# A client is lost after so many visits in no less than so long: many threads of one client may come before the first
# of them has logged in.
VISITS = 20
SECONDS = 30.0
# A client that stayed away for so long is counted anew; one that is still lost after a day is named again.
FORGOTTEN_SECONDS = 600.0
AGAIN_SECONDS = 24 * 3600.0
# Bounds on what strangers can make us remember and write.
MAX_CALLERS = 1000
MAX_LINES_A_DAY = 100
_SHOWN = 80


@dataclass(frozen=True)
class Wanderer:
    """Who wanted what: an address, a User-Agent, the name of the call, and the queue in its parameters."""

    address: str
    agent: str
    call: str
    queue: str


@dataclass
class _Visits:
    since: float
    last: float
    count: int = 0
    named: float = float("-inf")


class LostCallers:
    """Counts visits for which there was no login."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._visits: OrderedDict[Wanderer, _Visits] = OrderedDict()
        self._lines: deque[float] = deque(maxlen=MAX_LINES_A_DAY)

    def sent_to_login(self, who: Wanderer) -> None:
        """Note that a call was answered with the way to login/."""
        now = self._clock()
        visits = self._visits.get(who)
        if visits is None or now - visits.last > FORGOTTEN_SECONDS:
            visits = self._visits[who] = _Visits(since=now, last=now)
        visits.count += 1
        visits.last = now
        self._visits.move_to_end(who)
        if len(self._visits) > MAX_CALLERS:
            self._visits.popitem(last=False)
        is_lost = visits.count >= VISITS and now - visits.since >= SECONDS
        if is_lost and now - visits.named >= AGAIN_SECONDS and self._may_write(now):
            visits.named = now
            log.warning(
                "%s (%s) was sent to login/ %d times in %.0f s and does not log in: it wants %s%s. Its session may "
                "have ended while it follows redirects (xqueue-watcher: FOLLOW_CLIENT_REDIRECTS)",
                who.address,
                _shown(who.agent),
                visits.count,
                now - visits.since,
                who.call,
                f" of queue {_shown(who.queue)}" if who.queue else "",
            )

    def logged_in(self, address: str, agent: str) -> None:
        """Note a login: the last visit from there led to it, and counts no more."""
        for who in reversed(self._visits):
            if (who.address, who.agent) == (address, agent):
                self._visits[who].count -= 1
                if self._visits[who].count <= 0:
                    del self._visits[who]
                return

    def _may_write(self, now: float) -> bool:
        if len(self._lines) == MAX_LINES_A_DAY and now - self._lines[0] < AGAIN_SECONDS:
            return False
        self._lines.append(now)
        return True


def _shown(text: str) -> str:
    return repr(text[:_SHOWN])
