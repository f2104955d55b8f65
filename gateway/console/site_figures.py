"""The site's metrics as the console shows them: put together from the ledger, the broker's counts and the clock."""

from collections.abc import Coroutine
from typing import Any

from broker_setup.ledger.answers import Outcome
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.heard import steady
from broker_setup.metrics_port.registries import process_registry
from broker_setup.settings import Settings
from gateway.console.figure_families import Moment, families_of
from gateway.console.figures import Figures
from gateway.console.following import Following
from gateway.console.ready_counts import ReadyCounts
from gateway.figures.collector import FamiliesCollector
from gateway.figures.families import Family


class SiteFigures:
    """Listens to what the console follows; `registry` is what a Prometheus may see."""

    def __init__(self, settings: Settings, following: Following) -> None:
        """Build it; `tasks` have to run."""
        self._following = following
        self._ledger = following.ledger
        self._figures = Figures(settings.xqueues, self._ledger.state)
        # Not on the link that publishes: under an alarm the broker stops reading from that one.
        self._ready = ReadyCounts(following.reading, settings.xqueues)
        following.listen(self._take)
        self.registry = process_registry()
        self.registry.register(FamiliesCollector(self.families))

    @property
    def tasks(self) -> dict[str, Coroutine[Any, Any, None]]:
        """What has to run, by name."""
        return {"the broker's counts": self._ready.run()}

    def families(self) -> list[Family]:
        """Return every metric, as it is now."""
        moment = Moment(
            now=steady(),
            ready=self._ready.known,
            ledger_lag=self._ledger.lag,
            ledger_is_caught_up=not self._ledger.problem,
            connections={"ledger": self._following.reading.is_up, "publish": self._following.publishing.is_up},
        )
        return list(families_of(self._figures, self._ledger.state, moment))

    def _take(self, event: AnyEvent, outcome: Outcome, _: str) -> None:
        self._figures.take(event, outcome, is_new=not self._ledger.is_replay)
