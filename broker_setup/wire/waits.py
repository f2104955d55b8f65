"""What a copy on a rung says for operators: whose it is, why it waits, until when.

The relay writes these headers anew each time and reads them never, so what a stranger writes there changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from broker_setup.wire.header_values import text_of, time_of

WAITS_PREFIX = "xqueue-waits-"
WAITS_ORIGIN_HEADER = f"{WAITS_PREFIX}origin"
WAITS_QUEUE_HEADER = f"{WAITS_PREFIX}queue"
WAITS_REASON_HEADER = f"{WAITS_PREFIX}reason"
WAITS_UNTIL_HEADER = f"{WAITS_PREFIX}until"

# All of a message's properties must fit one frame; beside the largest return address there is room for these.
_MOST = 500


@dataclass(frozen=True)
class Wait:
    """A wait on a rung; what is not known is "" or None.

    `origin` is the LMS as scheme://host:port, `queue` the course queue, `until` when it goes back to the relay.
    """

    origin: str
    queue: str
    reason: str
    until: datetime | None


def waits_headers(origin: str, queue: str, reason: str, until: float) -> dict[str, str]:
    """Write a wait until `until` (seconds since the epoch)."""
    headers = {
        WAITS_ORIGIN_HEADER: origin[:_MOST],
        WAITS_QUEUE_HEADER: queue[:_MOST],
        WAITS_REASON_HEADER: reason[:_MOST],
        WAITS_UNTIL_HEADER: datetime.fromtimestamp(until, UTC).isoformat(timespec="milliseconds"),
    }
    return {name: value for name, value in headers.items() if value}


def read_wait(headers: Mapping[str, Any]) -> Wait:
    """Read what a copy on a rung says, whatever that is."""
    return Wait(
        origin=text_of(headers.get(WAITS_ORIGIN_HEADER)),
        queue=text_of(headers.get(WAITS_QUEUE_HEADER)),
        reason=text_of(headers.get(WAITS_REASON_HEADER)),
        until=time_of(headers.get(WAITS_UNTIL_HEADER)),
    )
