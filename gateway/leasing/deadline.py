"""One deadline for a whole call, however many things it waits for in turn.

In a file of its own because polls (course_queue.py) and results (results.py) both need it and import nothing of each
other; lease_changes.py is its third user.
"""

import asyncio
from types import TracebackType

from broker_setup.errors import BrokerUnavailableError

# Below the 3 s in which every caller has its answer; above the limits of the single steps, whose errors say more.
ANSWER_SECONDS = 2.75
# So much later may a call be ended than at its time: those of one such moment have one timer.
SLOT_SECONDS = 0.05

_Slot = set["_Call"]


class Patience:
    """Ends calls that take too long. Each call of a grader has a deadline, and next to none comes to it."""

    def __init__(self) -> None:
        self._slots: dict[int, _Slot] = {}  # by when they end, in SLOT_SECONDS
        self._timer: tuple[int, asyncio.Handle] | None = None  # and whose it is; uvloop's do not all say `when`

    def in_time(self, extra: float = 0.0) -> "_Call":
        """Raise BrokerUnavailableError if a block takes longer; `extra` are the seconds for which a caller will wait.

        The block is cancelled as by a client that hangs up: what must not be cut short goes on without it.
        """
        return _Call(self, ANSWER_SECONDS + extra)

    def begin(self, call: "_Call", seconds: float, loop: asyncio.AbstractEventLoop) -> _Slot:
        """Have a call `end` after so many seconds, unless it is taken out of the slot by then."""
        number = int((loop.time() + seconds) / SLOT_SECONDS) + 1
        slot = self._slots.get(number)
        if slot is None:
            slot = self._slots[number] = set()
            self._set_timer(loop)
        slot.add(call)
        return slot

    def _set_timer(self, loop: asyncio.AbstractEventLoop) -> None:
        first = min(self._slots)
        if self._timer is not None:
            of, timer = self._timer
            if of <= first:
                return
            timer.cancel()
        self._timer = first, loop.call_at(first * SLOT_SECONDS, self._end, first)

    def _end(self, number: int) -> None:
        for call in self._slots.pop(number):
            call.end()
        self._timer = None
        if self._slots:
            self._set_timer(asyncio.get_running_loop())


class _Call:
    """A block with a deadline, as asyncio.timeout makes them, without a timer of its own."""

    __slots__ = ("_is_late", "_others", "_patience", "_seconds", "_slot", "_task")

    def __init__(self, patience: Patience, seconds: float) -> None:
        self._patience = patience
        self._seconds = seconds
        self._is_late = False

    def __enter__(self) -> None:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("only a task can be cancelled")
        self._task = task
        self._others = task.cancelling()
        self._slot = self._patience.begin(self, self._seconds, loop)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._slot.discard(self)
        # Where somebody else has cancelled it, too, that goes on.
        if self._is_late and self._task.uncancel() <= self._others and kind is asyncio.CancelledError:
            raise BrokerUnavailableError("the broker did not answer in time") from None

    def end(self) -> None:
        self._is_late = True
        self._task.cancel()
