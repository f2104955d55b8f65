"""All that the console knows, and where it looks for more."""

from dataclasses import dataclass

from broker_setup.settings import Settings
from broker_setup.settings.value_types import AMQP
from gateway.console.broker_look import BrokerLook
from gateway.console.following import Following
from gateway.console.index import SubmissionIndex
from gateway.console.lately import Lately
from gateway.console.pauses import Pauses
from gateway.console.rungs import RelayLook, RungsLook


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

    def kind_of(self, queue: str) -> str:
        """Say how a queue's graders work."""
        grader = self.settings.xqueues.get(queue)
        if grader is None:
            return "pull"
        return "amqp" if grader == AMQP else "passive"
