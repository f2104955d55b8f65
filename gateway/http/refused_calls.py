"""Logs whose calls are refused, and why: a wrong setting of an LMS or a grader shows nowhere else.

A mistake gets one line an hour, however often it is repeated. Each refused result has a line of its own.
"""

import logging
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from gateway.http.refusals import QueueNotFoundError, RefusedError

log = logging.getLogger(__name__)

AGAIN_SECONDS = 3600.0
# Bounds on what one caller can make us write in an hour, and remember; all who are not logged in count as one.
MAX_LINES = 20
MAX_MISTAKES = 100
MAX_CALLERS = 1000
_SHOWN = 300


@dataclass(frozen=True)
class Mistake:
    """What was refused: the name of the call, the address it came from, and why."""

    call: str
    address: str
    why: str


class RefusedCalls:
    """Writes what is refused, in few lines."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._written: OrderedDict[str, _Written] = OrderedDict()

    def note(self, account: str, address: str, call: str, error: RefusedError) -> None:
        """Note that a call was refused; `account` is empty where nobody is logged in."""
        now, mistake = self._clock(), Mistake(call, address, _in_a_line(error))
        written = self._written.setdefault(account, _Written())
        self._written.move_to_end(account)
        if len(self._written) > MAX_CALLERS:
            self._written.popitem(last=False)
        if written.is_new(mistake, now):
            who = f"{account[:_SHOWN]!r} at {address}" if account else address
            about = {"by": account[:_SHOWN], "reason": mistake.why}
            log.warning("%s by %s is refused: %s (said once an hour)", mistake.call, who, mistake.why, extra=about)


class _Written:
    """What was written of one account's mistakes, and when."""

    def __init__(self) -> None:
        self._mistakes: OrderedDict[Mistake, float] = OrderedDict()
        self._lines: deque[float] = deque(maxlen=MAX_LINES)

    def is_new(self, mistake: Mistake, now: float) -> bool:
        """Whether a line is due, and take it for written."""
        last = self._mistakes.get(mistake)
        is_full = len(self._lines) == MAX_LINES and now - self._lines[0] < AGAIN_SECONDS
        if (last is not None and now - last < AGAIN_SECONDS) or is_full:
            return False
        self._mistakes[mistake] = now
        self._mistakes.move_to_end(mistake)
        if len(self._mistakes) > MAX_MISTAKES:
            self._mistakes.popitem(last=False)
        self._lines.append(now)
        return True


def _in_a_line(error: RefusedError) -> str:
    text, cause = str(error), str(error.__cause__ or "")
    if isinstance(error, QueueNotFoundError) and error.asked_for:
        text = f"Queue '{error.asked_for}' not found"
    elif cause and cause not in text:
        text = f"{text}: {cause}"
    return "".join(character if character.isprintable() else "?" for character in text[:_SHOWN])
