"""What the supervisor of a connection goes by: whether it has gone silent, and what to say while there is none.

A broker that lives sends something in each half of a heartbeat's time. The library gives a connection up after more
than three heartbeats; where there is another node to connect to, that is too long.
"""

import asyncio
import logging
from dataclasses import dataclass, field

from ..amqp.connection import Connection

# How often the log says that an outage goes on: no flood in a night without a broker.
REMINDER_SECONDS = 30.0
LOOK_SECONDS = 1.0


@dataclass
class Outage:
    """The tries to connect to the broker at `where` that failed since `began`, of a clock in seconds."""

    where: str
    began: float
    _reasons: set[str] = field(default_factory=set)
    _said: float = 0.0

    def failed(self, why: str, now: float) -> tuple[int, str]:
        """Return at which level, and in what words, to log that a try failed."""
        if why not in self._reasons:
            self._reasons.add(why)
            self._said = now
            return logging.WARNING, f"no connection to the broker at {self.where}: {why}"
        if now - self._said >= REMINDER_SECONDS:
            self._said = now
            return logging.WARNING, f"still no connection to {self.where} after {now - self.began:.0f} s: {why}"
        return logging.DEBUG, f"no connection to the broker at {self.where}: {why}"


async def until_silent(connection: Connection, heartbeat: float) -> None:
    """Return once nothing at all has come for `heartbeat` seconds.

    Counted in looks: a process that was frozen itself has read nothing meanwhile, and does so before it looks again.
    """
    looks, heard_at = 0.0, 0.0
    while looks * LOOK_SECONDS <= heartbeat:
        await asyncio.sleep(LOOK_SECONDS)
        before, heard_at = heard_at, connection.last_heard_at
        looks = looks + 1 if heard_at == before else 0
