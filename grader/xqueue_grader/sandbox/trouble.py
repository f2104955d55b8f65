"""What a sandbox can be told to do to the next calls, so that a grader is tried against it."""

from collections import defaultdict, deque
from enum import StrEnum
from threading import Lock


class Trouble(StrEnum):
    """Does not do what is asked and says 503, or does it and loses the answer, or has forgotten who calls."""

    UNAVAILABLE = "unavailable"
    LOST_ANSWER = "lost answer"
    ENDED_SESSION = "ended session"


class Troubles:
    """What is to come, by the name of the call, in its order."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._coming: defaultdict[str, deque[Trouble]] = defaultdict(deque)

    def add(self, call: str, trouble: Trouble, times: int) -> None:
        """Have the next `times` calls of that name meet it, after what was added before."""
        with self._lock:
            self._coming[call].extend([trouble] * times)

    def next(self, call: str) -> Trouble | None:
        """Say what meets a call that came."""
        with self._lock:
            coming = self._coming[call]
            return coming.popleft() if coming else None
