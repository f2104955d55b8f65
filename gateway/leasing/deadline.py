"""One deadline for a whole call, however many things it waits for in turn.

In a file of its own because polls (course_queue.py) and results (results.py) both need it and import nothing of each
other; lease_changes.py is its third user.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from broker_setup.errors import BrokerUnavailableError

# Below the 3 s in which every caller has its answer; above the limits of the single steps, whose errors say more.
ANSWER_SECONDS = 2.75


@asynccontextmanager
async def in_time(extra: float = 0.0) -> AsyncIterator[None]:
    """Raise BrokerUnavailableError if the block takes longer; `extra` are the seconds for which a caller wants to wait.

    The block is cancelled as by a client that hangs up: what must not be cut short runs in a task of its own.
    """
    try:
        async with asyncio.timeout(ANSWER_SECONDS + extra):
            yield
    except TimeoutError:
        raise BrokerUnavailableError("the broker did not answer in time") from None
