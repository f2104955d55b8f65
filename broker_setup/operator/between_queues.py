"""What AMQP counts nowhere: dead letters between two queues, which left one and are not stored in the next; holds.

It is a moment's matter unless the next queue, or its leader, is away: then they stand there, and come by themselves
when it is back, within three minutes (RabbitMQ 3.10: `dead_letter_worker_publisher_confirm_timeout`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from broker_setup.errors import XQueueError
from broker_setup.operator.management_api import management_api
from broker_setup.settings import Settings

# A command that counts goes on without.
PATIENCE_SECONDS = 5.0


@dataclass(frozen=True)
class BetweenQueues:
    """How many left each queue and are not stored in the next, of those where there are some; or why nobody knows.

    `held` is what somebody keeps unacked of each queue, of which it is known.
    """

    left: Mapping[str, int]
    unknown: str = ""
    held: Mapping[str, int] = field(default_factory=dict)

    @property
    def known(self) -> Mapping[str, int] | None:
        """`left`, or None: not known, which is not none."""
        return None if self.unknown else self.left

    def of(self, queues: Iterable[str]) -> int:
        """Count what left one of these; 0 where that is not known."""
        return sum(self.left.get(queue, 0) for queue in queues)

    def held_of(self, queues: Iterable[str]) -> int | None:
        """Count what is held of these; None where that is not known."""
        queues = list(queues)
        return None if any(queue not in self.held for queue in queues) else sum(self.held[queue] for queue in queues)

    def __str__(self) -> str:
        if self.unknown:
            return f"not known: {self.unknown}"
        by_queue = ", ".join(f"{number} from {queue}" for queue, number in self.left.items())
        return f"{sum(self.left.values())}{by_queue and f' ({by_queue})'}"


def between_queues(settings: Settings, queues: Iterable[str]) -> BetweenQueues:
    """Ask the management API, where MANAGEMENT_URL says how, what has left these queues and is nowhere yet."""
    management = management_api(settings, patience=PATIENCE_SECONDS)
    if management is None:
        return BetweenQueues({}, "only the management API counts it, and MANAGEMENT_URL is not set")
    try:
        with management as api:
            return replace(from_statistics(api.dead_letters(), queues), held=api.held())
    except XQueueError as error:
        return BetweenQueues({}, str(error))


def from_statistics(counted: Mapping[str, int], queues: Iterable[str]) -> BetweenQueues:
    """Pick these queues out of what the broker counted; all of them have to be there."""
    queues = list(queues)
    if without := [queue for queue in queues if queue not in counted]:
        return BetweenQueues({}, f"the broker has no statistics yet of {', '.join(without)}")
    return BetweenQueues({queue: counted[queue] for queue in queues if counted[queue]})
