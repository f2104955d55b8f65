"""Whether a connection has gone silent: a broker that lives sends something in each half of a heartbeat's time.

The library gives up after three of them and more. Where there is another node to go to, that is too long.
"""

import asyncio
from typing import Any, cast

from aio_pika.abc import AbstractConnection

LOOK_SECONDS = 1.0


async def until_silent(connection: AbstractConnection, heartbeat: float) -> None:
    """Return once nothing at all has come for `heartbeat` seconds.

    Counted in looks: a process that was frozen itself has read nothing meanwhile, and does so before it looks again.
    """
    looks, heard_at = 0.0, 0.0
    while looks * LOOK_SECONDS <= heartbeat:
        await asyncio.sleep(LOOK_SECONDS)
        before, heard_at = heard_at, last_frame_at(connection)
        looks = looks + 1 if heard_at == before else 0


def last_frame_at(connection: AbstractConnection) -> float:
    """Say when the last frame came, by the loop's clock: what the library itself judges by, and shows nobody."""
    transport = cast("Any", connection.transport)
    return float(transport.connection._Connection__last_frame_time) if transport else 0.0  # noqa: SLF001 - see above
