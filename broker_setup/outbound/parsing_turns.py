"""Shares the event loop's rounds out among connections: of each, a few milliseconds are for parsing what came on them.

By itself each would parse all that came on it, and what all of them do one after another is one round: nobody else has
a turn before the last is through. A hundred answers at once, made to take long, would hold everybody up for seconds.
"""

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from time import perf_counter

# What comes of a good server takes a tenth of a millisecond. A piece (4 KiB) of the worst takes one, and about as much
# again when it is read; what is left of a round is for all else.
TURN_SECONDS = 0.001
# Of one round, for those who wait in line, and for all.
LINE_SECONDS = 0.002
ROUND_SECONDS = 0.004


class ParsingTurns:
    """What the connections of one event loop do, each its work: a piece of it at each call, True while there is more.

    Who just came goes first, as far as a round reaches: a short answer waits for no long one. Who has more to do than
    a turn takes waits in line.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._line: deque[Callable[[], bool]] = deque()
        # Of the round that is on.
        self._used = 0.0
        self._is_counting = False

    def begin(self, loop: AbstractEventLoop, work: Callable[[], bool]) -> None:
        """Have `work` done, its first turn now if this round has time for it."""
        if not self._is_counting:
            self._is_counting = True
            loop.call_soon(self._next_round, loop)
        if self._used >= ROUND_SECONDS or self._has_more(work):
            self._line.append(work)

    def _next_round(self, loop: AbstractEventLoop) -> None:
        self._used = 0.0
        self._is_counting = bool(self._line)
        if not self._is_counting:
            return
        loop.call_soon(self._next_round, loop)
        # Each once at the most: between two turns its reader takes what was parsed.
        for _ in range(len(self._line)):
            if self._used >= LINE_SECONDS:
                break
            work = self._line.popleft()
            if self._has_more(work):
                self._line.append(work)

    def _has_more(self, work: Callable[[], bool]) -> bool:
        """Do `work` for a turn, and say whether there is more."""
        began = self._clock()
        while (has_more := work()) and self._clock() - began < TURN_SECONDS:
            pass
        self._used += self._clock() - began
        return has_more
