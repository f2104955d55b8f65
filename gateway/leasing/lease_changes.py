"""How a lease changes or ends without a result: its grader extends it or gives it back early, or it runs out."""

import asyncio
from collections.abc import Callable, Mapping
from time import time

from broker_setup.ledger.answers import Lease, Refusal
from broker_setup.ledger.events import Extended, Released
from broker_setup.ledger.heard import steady as steady_clock
from broker_setup.ledger.ledger import Ledger
from broker_setup.ledger.state import LedgerState
from gateway.leasing.course_queue import CourseQueue
from gateway.leasing.deadline import Patience
from gateway.leasing.results import Permission, Results, TooLateError, is_hidden, refused
from gateway.leasing.returns import Returns, TooManyReturnsError

# An extension by less is not written: one lease of an hour fills the ledger with 3,600 of them at most.
LEAST_GAIN_SECONDS = 1.0
# Leases last a minute or more; a quarter of a second more is nothing to a grader.
LOOK_SECONDS = 0.25
# Of leases that run out together, as of a grader that extends all of its thousands to one moment, so many are returned
# in a round of the event loop.
RUN_OUT_AT_ONCE = 100


class LeaseChanges:
    """Extends and releases running leases."""

    def __init__(
        self,
        ledger: Ledger,
        max_seconds: Callable[[str], float],
        returns: Returns,
        clock: Callable[[], float] = time,
        steady: Callable[[], float] = steady_clock,
    ) -> None:
        """`max_seconds` says for a queue how long a lease may last in all, and a release hold its submission back.

        `returns` bounds how many are given back.
        """
        self._ledger = ledger
        self._max_seconds = max_seconds
        self._returns = returns
        self._patience = Patience()
        self._clock = clock
        self._steady = steady

    async def extend(self, submission_id: int, key: str, seconds: float, permission: Permission) -> float:
        """Let a lease run for `seconds` from now, up to the queue's cap; return when it ends (epoch seconds).

        One that would run for less than a second more is left as it is. Raise UnknownSubmissionError (also without
        `permission` for the queue), WrongKeyError (also for a lease that has run out) or BrokerUnavailableError.
        """
        with self._patience.in_time():
            lease = await self._find(submission_id, key, permission)
            now = self._steady()
            cap = lease.began + self._max_seconds(lease.queue)
            # Never shortened: whoever wants it to end sooner releases it.
            left = max(lease.ends_at, min(now + seconds, cap)) - now
            expires_at = self._clock() + left
            if left < lease.ends_at - now + LEAST_GAIN_SECONDS:
                return self._clock() + lease.ends_at - now
            await self._record(Extended(self._clock(), lease.submission, lease.key, expires_at))
            return expires_at

    async def release(
        self, submission_id: int, key: str, permission: Permission, *, delay: float, failed: bool
    ) -> None:
        """End a lease now; its submission may be leased again after `delay` seconds, at most the queue's cap.

        Raise what extend raises, or TooManyReturnsError: then the lease goes on.
        """
        with self._patience.in_time():
            lease = await self._find(submission_id, key, permission)
            if wait := self._returns.take(lease.queue, lease.sealed):
                raise TooManyReturnsError(wait)
            now = self._clock()
            available_at = now + min(delay, self._max_seconds(lease.queue))
            await self._record(Released(now, lease.submission, lease.key, available_at=available_at, failed=failed))

    async def _find(self, submission_id: int, key: str, permission: Permission) -> Lease:
        await self._ledger.wait_up_to_date()
        found = self._look(submission_id, key, permission)
        if isinstance(found, Refusal):
            # Another gateway may have leased it just now: what it wrote is on its way to this one.
            await self._ledger.barrier()
            found = self._look(submission_id, key, permission)
        if isinstance(found, Refusal):
            raise refused(found, submission_id)
        return found

    def _look(self, submission_id: int, key: str, permission: Permission) -> Lease | Refusal:
        state = self._ledger.state
        if is_hidden(state, submission_id, key, permission):
            return Refusal.UNKNOWN_SUBMISSION
        return state.find(submission_id, key, self._steady())

    async def _record(self, event: Extended | Released) -> None:
        if not await self._ledger.record(event):
            raise TooLateError("the lease ended in that moment")


async def return_expired(
    state: LedgerState,
    queues: Mapping[str, CourseQueue],
    results: Results,
    clock: Callable[[], float] = steady_clock,
) -> None:
    """Return to their queues, until cancelled, the submissions whose leases have run out."""
    due = list[Lease]()
    while True:
        # A lease whose result is on its way is looked at again: it may be settled by then.
        due += state.run_out(clock())
        for number, lease in enumerate(due, 1):
            if number % RUN_OUT_AT_ONCE == 0:
                await asyncio.sleep(0)
            queue = queues.get(lease.queue)  # None if the settings name it no more
            if queue and not results.is_under_way(lease.submission) and state.lease_of(lease.submission) == lease:
                queue.held.ran_out(lease)
        due = [lease for lease in due if results.is_under_way(lease.submission)]
        await asyncio.sleep(LOOK_SECONDS)
