"""Returns the submissions whose leases ran out to their queues."""

import asyncio
from collections.abc import Callable, Mapping
from time import time

from gateway.leasing.course_queue import CourseQueue
from gateway.leasing.leases import Leases

# Leases last a minute or more; a quarter of a second more is nothing to a grader.
LOOK_SECONDS = 0.25


async def return_expired(
    leases: Leases,
    queues: Mapping[str, CourseQueue],
    clock: Callable[[], float] = time,
) -> None:
    """Give back, until cancelled, what graders did not finish in time."""
    while True:
        for lease in leases.run_out(clock()):
            queues[lease.queue].ran_out(lease.submission)
        await asyncio.sleep(LOOK_SECONDS)
