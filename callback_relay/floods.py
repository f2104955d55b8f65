"""Who floods the results queue with what is no result, or is not theirs to send; decisions, no I/O.

The queue is read from its head, so what somebody floods it with delays everybody by what each piece of it costs. A copy
with its reason, a line in the log and two confirms cost most; beyond a number nobody reads them.
"""

from collections import OrderedDict
from dataclasses import dataclass
from heapq import heappop, heappush

from callback_relay.job import Identity

# Of one sender, at once and then each second: a grader that is broken is told of each of its mistakes.
AT_ONCE = 100.0
EACH_SECOND = 10.0
# Likewise of what names a secret that is not known here, which goes over the rungs for days. While secrets are changed
# all that a grader sends may be so, and waits for a relay that knows it; or it is a forgery.
UNOPENED_AT_ONCE = 1_000.0
UNOPENED_EACH_SECOND = 50.0
# Of one sender on rungs at a time, however long they wait there; of each some KiB at most, as replies have: each rung
# brings them back by the queue of everybody's results, where larger ones kept others for seconds.
MOST_UNOPENED = 10_000
MOST_UNOPENED_BYTES = 16 * 1024
# Of one result, here and on rungs: whoever publishes again after a lost confirm makes two or three.
MOST_COPIES = 20
# Some 3 MB. Who sends one bad reply again and again does so at once.
MOST_PARKED = 10_000
# Between two lines of the log about one sender.
SAY_SECONDS = 60.0


@dataclass
class _Sender:
    left: float
    at: float
    turned_away: int = 0
    said_at: float = float("-inf")


class Floods:
    """Counts junk by the broker user that sent it; times are of a clock that only goes on, in seconds."""

    def __init__(self, at_once: float = AT_ONCE, each_second: float = EACH_SECOND) -> None:
        """Let through so much of one sender at once, and so much more each second."""
        self._at_once, self._each_second = at_once, each_second
        # The broker vouches for users, so nobody fills this with made-up ones.
        self._senders: dict[str, _Sender] = {}

    def is_one(self, user: str | None, now: float, *, is_full: bool = False) -> bool:
        """Count a piece of junk; say whether it is one too many, to be turned away without a copy.

        Where `is_full` any is.
        """
        sender = self._senders.setdefault(user or "", _Sender(self._at_once, now))
        sender.left = min(self._at_once, sender.left + (now - sender.at) * self._each_second)
        sender.at = now
        if sender.left >= 1 and not is_full:
            sender.left -= 1
            return False
        sender.turned_away += 1
        return True

    def line(self, user: str | None, now: float) -> str:
        """Return what the log should say of a sender whose junk is turned away; empty if it was said a moment ago."""
        sender = self._senders[user or ""]
        if now - sender.said_at < SAY_SECONDS:
            return ""
        sender.said_at = now
        who = f"user {user!r}" if user else "somebody who names no user (user_id)"
        return (
            f"{who} floods the results with what is none: {sender.turned_away} so far are parked without a reason. "
            "Who is not in AMQP_GRADERS any more has no right to publish after `xqueue-broker setup`"
        )


class OnRungs:
    """Counts what of each sender waits on rungs, by when it comes back; what was there before this process, from then.

    So a return takes no more than the place that it had, and may always have it.
    """

    def __init__(self, most: int) -> None:
        """Have room for `most` of one sender."""
        self._most = most
        self._due: dict[str, list[float]] = {}

    def is_full(self, user: str | None, now: float) -> bool:
        """Tell whether no more of a sender should go there."""
        due = self._due.get(user or "", [])
        while due and due[0] <= now:
            heappop(due)
        return len(due) >= self._most

    def went(self, user: str | None, due: float) -> None:
        """Note that one of a sender went there, until `due`."""
        heappush(self._due.setdefault(user or "", []), due)


class LatelyParked:
    """The results that were parked last: one that comes again is not parked for its student's sake."""

    def __init__(self) -> None:
        self._identities: OrderedDict[Identity, None] = OrderedDict()

    def __contains__(self, identity: Identity) -> bool:
        return identity in self._identities

    def discard(self, identity: Identity) -> None:
        """Forget one that was not parked after all."""
        self._identities.pop(identity, None)

    def add(self, identity: Identity) -> None:
        """Remember one, and forget the oldest beyond 10,000."""
        self._identities[identity] = None
        if len(self._identities) > MOST_PARKED:
            self._identities.popitem(last=False)
