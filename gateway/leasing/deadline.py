"""One deadline for a whole call, however many things it waits for in turn.

In a file of its own because polls (course_queue.py) and results (results.py) both need it and import nothing of each
other; lease_changes.py is its third user.
"""

import asyncio
from types import TracebackType

from broker_setup.errors import BrokerUnavailableError

# Below the 3 s in which every caller has its answer; above the limits of the single steps, whose errors say more.
ANSWER_SECONDS = 2.75


class InTime:
    """Raises BrokerUnavailableError if its block takes longer; `extra` are the seconds for which a caller will wait.

    The block is cancelled as by a client that hangs up: what must not be cut short goes on without it. No generator, as
    contextlib would make of it: each call of a grader has one of these.
    """

    def __init__(self, extra: float = 0.0) -> None:
        self._timeout = asyncio.timeout(ANSWER_SECONDS + extra)

    async def __aenter__(self) -> None:
        """Begin to count."""
        await self._timeout.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Say what a block that was cut short has run into."""
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise BrokerUnavailableError("the broker did not answer in time") from None
