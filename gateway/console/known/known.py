"""All that the console knows, and where it looks for more."""

from dataclasses import dataclass

from broker_setup.ledger.events import Act, Acted
from broker_setup.settings import Settings
from broker_setup.settings.value_types import AMQP
from gateway.console.known.broker_look import BrokerLook
from gateway.console.known.following import Following
from gateway.console.known.index import SubmissionIndex
from gateway.console.known.lately import Lately
from gateway.console.known.pauses import Pauses
from gateway.console.known.rungs import RelayLook, RungsLook


@dataclass(frozen=True)
class Known:
    """What the console knows, and where it looks."""

    settings: Settings
    following: Following
    index: SubmissionIndex
    lately: Lately
    pauses: Pauses
    broker: BrokerLook
    rungs: RungsLook
    relay: RelayLook

    def pause_of(self, queue: str, now: float) -> Acted | None:
        """Say whether a queue is paused: by the broker, where the pause lies, in the ledger's words, if it has some."""
        said, look = self.pauses.of(queue, now), self.broker.of(queue)
        if not look.is_fresh(now) or (said and said.at > (look.seen_at or 0.0)):
            return said
        return (said or Acted(now, b"", Act.PAUSED, "an operator", queue)) if look.is_paused else None

    def kind_of(self, queue: str) -> str:
        """Say how a queue's graders work."""
        grader = self.settings.xqueues.get(queue)
        if grader is None:
            return "pull"
        return "amqp" if grader == AMQP else "passive"
