"""The site's metrics as the console shows them: put together from the ledger, the broker's counts and the clock."""

from time import time

from broker_setup.ledger.answers import Outcome
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.heard import steady
from broker_setup.metrics_port.registries import process_registry
from broker_setup.settings import Settings
from gateway.callers.accounts import Accounts
from gateway.console.figures.figure_families import Moment, families_of
from gateway.console.figures.figures import Figures
from gateway.console.known.broker_look import BrokerLook, QueueLook
from gateway.console.known.following import Following
from gateway.console.known.pauses import Pauses
from gateway.figures.collector import FamiliesCollector
from gateway.figures.families import Family


class SiteFigures:
    """Listens to what the console follows; `registry` is what a Prometheus may see."""

    def __init__(
        self, settings: Settings, following: Following, broker: BrokerLook, pauses: Pauses, accounts: Accounts
    ) -> None:
        self._queues = list(settings.xqueues)
        self._following, self._broker, self._pauses, self._accounts = following, broker, pauses, accounts
        self._ledger = following.ledger
        self._figures = Figures(self._queues, self._ledger.state)
        following.listen(self._take)
        self.registry = process_registry()
        self.registry.register(FamiliesCollector(self.families))

    def families(self) -> list[Family]:
        """Return every metric, as it is now."""
        now, following = time(), self._following
        looks = {queue: look for queue in self._queues if (look := self._broker.of(queue)).is_fresh(now)}
        moment = Moment(
            now=steady(),
            ready={queue: look.ready for queue, look in looks.items()},
            paused={queue for queue in self._queues if self._is_paused(queue, looks.get(queue), now)},
            ledger_lag=self._ledger.lag,
            ledger_is_caught_up=not self._ledger.problem,
            connections={
                "ledger": following.reading.is_up,
                "publish": following.publishing.is_up,
                "asking": following.asking.is_up,
            },
            logins_refused=self._accounts.refused,
            logins_throttled=self._accounts.throttled,
        )
        return list(families_of(self._figures, self._ledger.state, moment))

    def _is_paused(self, queue: str, look: QueueLook | None, now: float) -> bool:
        """Go by the broker, where the pause itself lies; the ledger forgets it with its window."""
        return look.is_paused if look else self._pauses.of(queue, now) is not None

    def _take(self, event: AnyEvent, outcome: Outcome, _: str) -> None:
        self._figures.take(event, outcome, is_new=not self._ledger.is_replay)
