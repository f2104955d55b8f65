"""Looks at messages without holding anybody up: in a thread, or in a process apart what may end whoever looks.

A delivery that came back a few times may be what kills processes, or may have been given back for other reasons: up to
4.2 RabbitMQ counts both alike. So nothing is parked for its count, but it is looked at by a taster, a process that has
nothing else to do, and is refused where tasters die of it.
"""

import asyncio
import logging
import resource
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from multiprocessing import get_context
from typing import Any, TypeVar

from broker_setup.errors import BadMessageError, XQueueError
from broker_setup.process.beside import OneThread
from broker_setup.process.child_process import end_with_parent
from broker_setup.wire.replies import FINE, MAX_REPLY_BYTES, Finding, check_reply, check_strictly, is_checked
from broker_setup.wire.submissions import decode_work

log = logging.getLogger(__name__)

T = TypeVar("T")

# What is larger is checked beside the event loop: this much takes 6 ms at worst, 100 KiB of `[],` took 70.
BESIDE_BYTES = 8 * 1024
# From then on what comes back is suspected. Reconnects and restarts bring innocent ones here, too: that costs them a
# moment.
SUSPECTED_RETURNS = 4

# Of a taster: far above what any reply that an LMS takes needs.
_TASTER_BYTES = 1024**3
_TASTER_CPU_SECONDS = 20
# One death may be another's fault: of a machine that ran out of memory, say.
_TASTERS = 2

DEADLY = "looking at it ended the process that looked, twice"


class DeadlyMessageError(XQueueError):
    """A message that must not be looked at: tasters died of it."""


class ReplyChecker:
    """Checks replies for one process, in the event loop that first asks."""

    def __init__(self, most: int = MAX_REPLY_BYTES) -> None:
        """Take `most` for what an LMS takes, in bytes."""
        self._most = most
        # Not that of other large things: each reply takes a second at worst.
        self._beside = OneThread("replies")
        self._taster = Taster()

    def strictly(self, reply: bytes) -> Finding:
        """Check a small reply without knowing where it goes: one with nothing wrong is fine everywhere."""
        return check_strictly(reply, self._most)

    def at_once(self, callback_url: str, reply: bytes, returns: int = 0) -> Finding | None:
        """Check a reply that came back `returns` times, if that can be done here and now; None where it can't."""
        if returns < SUSPECTED_RETURNS and not BESIDE_BYTES < len(reply) <= self._most:
            return check_reply(callback_url, reply, self._most)
        return None if is_checked(callback_url) else FINE

    async def taste(self, body: bytes, returns: int) -> None:
        """Have the body of a submission looked at that came back `returns` times; raise DeadlyMessageError."""
        if returns >= SUSPECTED_RETURNS and await self._taster.ask(_read_work, body) is None:
            raise DeadlyMessageError(DEADLY)

    async def check(self, callback_url: str, reply: bytes, returns: int = 0) -> Finding:
        """Check a reply, wherever that can be done."""
        found = self.at_once(callback_url, reply, returns)
        if found is not None:
            return found
        if returns < SUSPECTED_RETURNS:
            return await self._beside.call(check_reply, callback_url, reply, self._most)
        return await self._taster.ask(check_reply, callback_url, reply, self._most) or Finding(DEADLY)


class Taster:
    """Calls functions in a process that may die of them; it goes when nobody asks any more."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._asking = 0
        self._pool: ProcessPoolExecutor | None = None

    async def ask(self, function: Callable[..., T], *arguments: Any) -> T | None:
        """Return what a function of some module returns, or None where two processes in a row died of it."""
        self._asking += 1
        try:
            # One at a time, so that a death is the fault of one.
            async with self._turn:
                for _ in range(_TASTERS):
                    with suppress(BrokenProcessPool, MemoryError):
                        return await self._call(function, *arguments)
                    self._dismiss()
                log.error("looking at a message that came back again and again ended two processes: it is refused")
                return None
        finally:
            self._asking -= 1
            if not self._asking:
                self._dismiss()

    async def _call(self, function: Callable[..., T], *arguments: Any) -> T:
        if self._pool is None:
            # Spawned: a fork of a process with threads may deadlock, and would hold our connections open.
            self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_begin)
        return await asyncio.get_running_loop().run_in_executor(self._pool, function, *arguments)

    def _dismiss(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _read_work(body: bytes) -> bool:
    with suppress(BadMessageError):  # whoever gets it says so
        decode_work(body)
    return True


def _begin() -> None:
    # A service manager's SIGTERM goes to all processes of a service: what dies of that is no sign of poison.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    for limit, value in ((resource.RLIMIT_AS, _TASTER_BYTES), (resource.RLIMIT_CPU, _TASTER_CPU_SECONDS)):
        with suppress(OSError, ValueError):  # a lower one is set already, or the system has none
            resource.setrlimit(limit, (value, value))
    end_with_parent()
