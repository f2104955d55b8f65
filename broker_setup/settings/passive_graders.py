"""Which graders are called, and how: what the settings say of all queues and of each."""

from dataclasses import dataclass
from typing import TypeVar

from broker_setup.settings.table import SettingsTable
from broker_setup.settings.value_types import AMQP, QueueOptions

_T = TypeVar("_T")


@dataclass(frozen=True)
class Grading:
    """How a passive grader is called: seconds, requests at once, seconds between tries, bytes."""

    timeout: float
    concurrency: int
    retry_delays: tuple[float, ...]
    max_reply: int


def passive_graders(table: SettingsTable) -> dict[str, str]:
    """Return the URL of each queue whose grader is called."""
    return {queue: grader for queue, grader in table.xqueues.items() if grader and grader != AMQP}


def grading_of(table: SettingsTable, queue: str) -> Grading:
    """Say how `queue`'s passive grader is called."""
    own = table.queue_options.get(queue, QueueOptions())
    return Grading(
        timeout=_or_general(own.grading_timeout, table.grading_timeout),
        concurrency=_or_general(own.grading_concurrency, table.grading_concurrency),
        # No delays at all are an option of their own: one try.
        retry_delays=_or_general(own.grading_retry_delays, table.grading_retry_delays),
        max_reply=_or_general(own.grading_max_reply, table.grading_max_reply),
    )


def _or_general(own: _T | None, general: _T) -> _T:
    return general if own is None else own
