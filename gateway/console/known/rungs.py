"""The results that wait on rungs for another try at their LMS, and what the relay's metrics say of each LMS."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from time import monotonic

import requests
from prometheus_client.parser import text_string_to_metric_families

from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.blocking import count_ready
from broker_setup.operator.results.waiting_results import Filter, Found, WaitingResult, WaitingResults
from broker_setup.settings import Settings
from broker_setup.topology import CHECKED_QUEUE, RESULTS_QUEUE

# To look at a result takes it out of its rung for a moment: not more often than this, and not thousands.
KEPT_SECONDS = 10.0
MOST_LOOKED_AT = 2_000
# Between two rungs a result is with the relay: it waits for the same reason still.
REMEMBERED_SECONDS = 60.0
RELAY_SECONDS = 2.0
_NEVER = float("-inf")


@dataclass(frozen=True)
class Rungs:
    """What waits on rungs, by uuid; `unseen` are more than are looked at, `at_once` wait for the relay to take them.

    `lately` are those that were seen a moment ago, on a rung still or not.
    """

    results: Mapping[str, WaitingResult] = field(default_factory=dict)
    lately: Mapping[str, WaitingResult] = field(default_factory=dict)
    unseen: int = 0
    at_once: int = 0
    problem: str = ""

    def of(self, queue: str) -> "Rungs":
        """Leave out why results of other queues wait: whoever looks may not see those."""
        lately = {uuid: each for uuid, each in self.lately.items() if each.wait.queue == queue}
        return replace(self, lately=lately)


class RungsLook:
    """Looks at the rungs when somebody wants to know, and remembers for a moment what it saw."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._seen = Rungs()
        self._seen_at = _NEVER
        self._lately: dict[str, tuple[float, WaitingResult]] = {}
        self._turn = asyncio.Lock()

    async def seen(self) -> Rungs:
        """Return what waits."""
        async with self._turn:
            if monotonic() - self._seen_at > KEPT_SECONDS:
                try:
                    self._seen = await asyncio.to_thread(self._look)
                except BrokerUnavailableError as error:
                    self._seen = Rungs(problem=str(error))
                self._seen_at = monotonic()
            return self._seen

    async def forget(self) -> None:
        """Look anew the next time: something was changed."""
        self._seen_at = _NEVER

    def _look(self) -> Rungs:
        settings = self._settings
        ready = dict(
            count_ready(
                settings.amqp_url.get_secret_value(),
                [RESULTS_QUEUE, CHECKED_QUEUE, *settings.rungs],
                if_there=settings.former_rungs,
            )
        )
        at_once = ready.pop(RESULTS_QUEUE) + ready.pop(CHECKED_QUEUE)
        number = sum(ready.values())
        if number > MOST_LOOKED_AT:
            return Rungs(unseen=number, at_once=at_once)
        looking = WaitingResults(settings, [rung for rung, count in ready.items() if count], Filter(), _pass_over)
        if number:
            asyncio.run(looking.look())
        now, results = monotonic(), {each.uuid: each for each in looking.found.results}
        recent = {uuid: seen for uuid, seen in self._lately.items() if now - seen[0] < REMEMBERED_SECONDS}
        self._lately = recent | {uuid: (now, each) for uuid, each in results.items()}
        return Rungs(results, {uuid: each for uuid, (_, each) in self._lately.items()}, at_once=at_once)


class RelayLook:
    """Asks the relay's metrics how each LMS fares."""

    def __init__(self, settings: Settings) -> None:
        self.url = settings.console_relay_url or (
            f"http://{settings.metrics_host}:{settings.metrics_port}" if settings.metrics_port else None
        )

    async def health(self) -> Mapping[str, str] | None:
        """Return by origin what a relay calls it (`ok`, `sick`, `condition`); None where none can be asked."""
        return await asyncio.to_thread(self._ask) if self.url else None

    def _ask(self) -> Mapping[str, str] | None:
        try:
            with requests.Session() as session:
                session.trust_env = False  # no proxy between our own services
                answer = session.get(f"{self.url}/metrics", timeout=RELAY_SECONDS, allow_redirects=False)
            families = list(text_string_to_metric_families(answer.text))
        except (requests.RequestException, ValueError):
            return None
        return {
            sample.labels["origin"]: sample.labels["state"]
            for family in families
            if family.name == "xqueue_relay_origins"
            for sample in family.samples
            if sample.value
        }


def _pass_over(found: Found) -> None:
    """Show no progress."""
