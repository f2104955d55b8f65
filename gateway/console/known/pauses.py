"""Which queues are paused, by whom and why, as the ledger's acts say."""

from broker_setup.ledger.answers import Outcome
from broker_setup.ledger.events import Act, Acted, AnyEvent

# Of strangers' queue names there can be any number.
MOST_QUEUES = 10_000


class Pauses:
    """Tell it of each event."""

    def __init__(self) -> None:
        self._paused: dict[str, Acted] = {}

    def take(self, event: AnyEvent, _outcome: Outcome, _writer: str) -> None:
        """Take in an event."""
        if not isinstance(event, Acted) or event.submission:
            return
        if event.act == Act.PAUSED and len(self._paused) < MOST_QUEUES:
            self._paused[event.queue] = event
        elif event.act == Act.RESUMED:
            self._paused.pop(event.queue, None)

    def of(self, queue: str, now: float) -> Acted | None:
        """Return the pause of a queue, if it has one."""
        paused = self._paused.get(queue)
        return paused if paused and (not paused.until or paused.until > now) else None
