"""The pauses that there are, for operators: read from the broker, told to a person or a program."""

from collections.abc import Iterable
from typing import Any

from broker_setup.link.pauses import LOOK_SECONDS, Pauses
from broker_setup.operator.console import iso, shown
from broker_setup.operator.session import Session
from broker_setup.pausing import read_pauses
from broker_setup.settings import Settings
from broker_setup.topology import paused_queue
from broker_setup.wire.pauses import Pause

# After so long whoever looks whether a queue is paused has stopped, be it a look late.
STOPPED_SECONDS = 3 * LOOK_SECONDS


async def pauses_of(settings: Settings, queues: Iterable[str]) -> dict[str, Pause]:
    """Return those of the course queues that are paused; raise BrokerUnavailableError if the broker does not say."""
    session = Session(settings, "xqueue-broker count")
    async with session.open(read_ledger=False):
        return await read_pauses(session.source, queues, Pauses(session.source, paused_queue))


def as_dict(pause: Pause) -> dict[str, Any]:
    """Make a pause's JSON."""
    return {
        "reason": pause.reason,
        "by": pause.by,
        "since": iso(pause.since.timestamp()),
        "until": None if pause.until is None else iso(pause.until.timestamp()),
    }


def in_words(pause: Pause) -> str:
    """Say for a person that a queue is paused."""
    until = "" if pause.until is None else f", until {shown(pause.until.timestamp())}"
    by = f" by {pause.by}" if pause.by else ""
    return f"{pause.queue} is paused since {shown(pause.since.timestamp())}{until}{by}: {pause.reason}"


def taken_all_the_same(consumers: int, since: float, now: float) -> str:
    """Say who takes the work of a queue that is paused `since` then (seconds since the epoch); "" where nobody does."""
    if not consumers or now - since < STOPPED_SECONDS:
        return ""
    if consumers == 1:
        return "1 consumer takes its work all the same: an AMQP grader that does not look whether it is paused"
    return f"{consumers} consumers take its work all the same: AMQP graders that do not look whether it is paused"
