"""Shares the event loop's rounds out among connections: of each, a few milliseconds are for parsing what came on them.

By itself each would parse all that came on it, and what all of them do one after another is one round: nobody else has
a turn before the last is through. A hundred answers at once, or requests, made to take long, would hold everybody up
for seconds.
"""

from asyncio import AbstractEventLoop
from collections import deque
from collections.abc import Callable
from time import perf_counter

# A piece of the worst (4 KiB of an answer, 1 KiB of a request) takes one millisecond, and about as much again when it
# is read; what is left of a round is for all else.
TURN_SECONDS = 0.001
# Of one round, for those who wait in line, and for all.
LINE_SECONDS = 0.002
ROUND_SECONDS = 0.004


class ParsingTurns:
    """What the connections of one event loop do, each its work: a piece of it at each call, True while there is more.

    The first of an answer or a request goes first, for one piece, at once as far as a round reaches: a short one, which
    ends with that, waits for no long one. All else waits in line.
    """

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self._first: deque[Callable[[], bool]] = deque()
        self._line: deque[Callable[[], bool]] = deque()
        # Of the round that is on.
        self._used = 0.0
        self._is_counting = False

    def begin(self, loop: AbstractEventLoop, work: Callable[[], bool], *, is_first: bool) -> None:
        """Have `work` done, at once if it is of the first of something and there is time for it."""
        if not self._is_counting:
            self._is_counting = True
            loop.call_soon(self._next_round, loop)
        if not is_first:
            self._line.append(work)
        elif self._used >= ROUND_SECONDS:
            self._first.append(work)
        else:
            self._do(work, 0.0)

    def _next_round(self, loop: AbstractEventLoop) -> None:
        self._used = 0.0
        self._is_counting = bool(self._first or self._line)
        if not self._is_counting:
            return
        loop.call_soon(self._next_round, loop)
        while self._first and self._used < LINE_SECONDS:
            self._do(self._first.popleft(), 0.0)
        # However many come first. Each once at the most: between two turns its reader takes what was parsed.
        end = max(LINE_SECONDS, self._used + TURN_SECONDS)
        for _ in range(len(self._line)):
            if self._used >= end:
                break
            self._do(self._line.popleft(), TURN_SECONDS)

    def _do(self, work: Callable[[], bool], seconds: float) -> None:
        """Do a piece of `work`, and more within `seconds`; what is left of it waits in line."""
        began = self._clock()
        while (has_more := work()) and self._clock() - began < seconds:
            pass
        self._used += self._clock() - began
        if has_more:
            self._line.append(work)
