"""Returns the submissions whose leases ran out to their queues."""

import asyncio
from collections.abc import Callable, Mapping

from broker_setup.ledger.answers import Lease
from broker_setup.ledger.heard import steady as steady_clock
from broker_setup.ledger.state import LedgerState
from gateway.leasing.course_queue import CourseQueue
from gateway.leasing.results import Results

# Leases last a minute or more; a quarter of a second more is nothing to a grader.
LOOK_SECONDS = 0.25


async def return_expired(
    state: LedgerState,
    queues: Mapping[str, CourseQueue],
    results: Results,
    clock: Callable[[], float] = steady_clock,
) -> None:
    """Give back, until cancelled, what graders did not finish in time."""
    due = list[Lease]()
    while True:
        # A lease whose result is on its way is looked at again: it may be settled by then.
        due += state.run_out(clock())
        for lease in due:
            queue = queues.get(lease.queue)  # None if the settings name it no more
            if queue and not results.is_under_way(lease.submission) and state.lease_of(lease.submission) == lease:
                queue.held.ran_out(lease)
        due = [lease for lease in due if results.is_under_way(lease.submission)]
        await asyncio.sleep(LOOK_SECONDS)
