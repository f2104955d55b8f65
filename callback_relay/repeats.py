"""Remembers which submissions' results this process has delivered or is delivering, so that none is posted twice."""

from collections import OrderedDict
from enum import Enum, auto

# About 15 MB. A repeat follows its first within minutes (a gateway killed between publishing a result and settling
# the submission, so that it is graded again), while this many callbacks take the better part of an hour at 30/s.
REMEMBERED = 100_000


class Standing(Enum):
    """What is known of a submission's result."""

    NEW = auto()
    UNDER_WAY = auto()
    DELIVERED = auto()


class Repeats:
    """A window over the last `size` delivered submissions, and those under way.

    It lives in this process's memory, so it does not see what another relay delivered, nor what this one did before
    it was started: a relay that is killed between the POST and its ack posts that result again.
    """

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size = size
        self._delivered: OrderedDict[tuple[str, int], None] = OrderedDict()
        self._under_way: set[str] = set()

    def begin(self, submission: str, amendment: int = 0) -> Standing:
        """Return the standing of a submission's result; if it is NEW, it is under way until `end`.

        An amendment is another result, but waits for the one before it.
        """
        if submission in self._under_way:
            return Standing.UNDER_WAY
        if (submission, amendment) in self._delivered:
            return Standing.DELIVERED
        self._under_way.add(submission)
        return Standing.NEW

    def end(self, submission: str, amendment: int = 0, *, delivered: bool) -> None:
        """Say how the try ended that `begin` called NEW."""
        self._under_way.discard(submission)
        if delivered:
            self._delivered[(submission, amendment)] = None
            if len(self._delivered) > self._size:
                self._delivered.popitem(last=False)
