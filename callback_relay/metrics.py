"""The relay's metrics: every name, what counts as what, and the gauges, which are read from the relay when asked for.

Counters are counted in the event loop's thread and gauges are read there: neither the schedule nor the tables here may
be touched by another.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from time import time
from typing import Any

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from broker_setup.metrics_port.registries import process_registry, up_or_down
from callback_relay.pace import Health, Pace
from callback_relay.results_consumer import ConsumerState
from callback_relay.verdict import GiveBack, Outdated, Park, Repeat, Retry, Verdict

PREFIX = "xqueue_relay"

# Callback URLs come from whoever submits, so there can be any number of origins, while each costs a Prometheus some
# twenty series for ever.
MOST_ORIGINS = 100
OTHER = "other"  # all origins beyond these
UNKNOWN = "unknown"  # a result whose callback URL can't be read

# Seconds. A well LMS takes some 10 ms to 1 s; REQUESTS_TIMEOUT is 5 s unless set.
CALLBACK_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
# Seconds. Messages say to the second when they were made; then the rungs: 5 s, 30 s, 2 min, 10 min, 1 h, 3 h; 3 days.
DELIVERY_BUCKETS = (1, 2, 5, 30, 120, 600, 3600, 10800, 43200, 86400, 259200)


@dataclass(frozen=True)
class Reading:
    """What the gauges show, as it is at this moment; `oldest` is when that result was graded (seconds since 1970)."""

    state: ConsumerState
    connections: Mapping[str, bool]
    paces: Mapping[str, Pace[Any]]
    oldest: float | None


class OriginNames:
    """Gives the first origins their own names, and all that come later one between them."""

    def __init__(self, listed: Collection[str] = (), most: int = MOST_ORIGINS) -> None:
        """Name those of the list whatever comes, and `most` in all if the list isn't longer."""
        self._named = set(listed)
        self._most = most

    def name_of(self, origin: str) -> str:
        """Return the label's value."""
        if origin in self._named:
            return origin
        if not origin:
            return UNKNOWN
        if len(self._named) >= self._most:
            return OTHER
        self._named.add(origin)
        return origin


class Metrics:
    """Tell it what happens; `registry` is what a Prometheus may see."""

    def __init__(self, read: Callable[[], Reading], listed: Collection[str] = ()) -> None:
        """Take the gauges from `read` each time that they are asked for; `listed` are origins that are known before."""
        self.registry = process_registry()
        self._names = OriginNames(listed)
        self._delivered = self._counter("delivered", "Results that the LMS took", "origin")
        self._told = self._counter("told", "Notices that the LMS took: students that expect no result", "origin")
        self._retried = self._counter("retried", "Waits on a rung that were begun", "origin", "reason")
        self._parked = self._counter("parked", "Results that were parked", "origin", "reason")
        self._repeats = self._counter("repeats", "Results not posted, as the LMS had them already", "origin")
        self._pages = self._counter("pages", "Results that were answered 200 with a page, and count as taken", "origin")
        self._outdated = self._counter("outdated", "Results given up, as a newer submission's has come", "origin")
        self._given_back = self._counter("given_back", "Results given back, as no copy could be stored")
        self._callback_seconds = Histogram(
            f"{PREFIX}_callback_seconds",
            "From the start of a callback to its outcome",
            ["origin"],
            buckets=CALLBACK_BUCKETS,
            registry=self.registry,
        )
        self._delivery_seconds = Histogram(
            f"{PREFIX}_delivery_seconds",
            "From the making of a result until the LMS took it",
            buckets=DELIVERY_BUCKETS,
            registry=self.registry,
        )
        # By name, ready for use: looking them up in the library costs as much as counting.
        self._of_origin: dict[str, tuple[Counter, Histogram]] = {}
        for origin in listed:
            self._bound(origin)
        self.registry.register(_Gauges(read, self._names))

    def posted(self, origin: str, seconds: float) -> None:
        """Count a callback that was made, however it ended."""
        self._bound(origin)[1].observe(seconds)

    def delivered(self, origin: str, graded_at: float, now: float) -> None:
        """Count a result that the LMS took; both times in seconds since 1970."""
        self._bound(origin)[0].inc()
        # Clocks differ, and an AMQP grader may claim any.
        self._delivery_seconds.observe(max(0.0, now - graded_at))

    def page(self, origin: str) -> None:
        """Count a result that counts as taken, though a page for people was the answer."""
        self._pages.labels(self._names.name_of(origin)).inc()

    def told(self, origin: str) -> None:
        """Count a notice that the LMS took."""
        self._told.labels(self._names.name_of(origin)).inc()

    def settled(self, origin: str, verdict: Verdict) -> None:
        """Count what became of a result that was not delivered."""
        name = self._names.name_of(origin)
        match verdict:
            case Retry(reason=reason):
                self._retried.labels(name, reason.slug).inc()
            case Park(reason):
                self._parked.labels(name, reason.slug).inc()
            case Repeat():
                self._repeats.labels(name).inc()
            case Outdated():
                self._outdated.labels(name).inc()
            case GiveBack():
                self._given_back.inc()

    def _bound(self, origin: str) -> tuple[Counter, Histogram]:
        name = self._names.name_of(origin)
        bound = self._of_origin.get(name)
        if bound is None:
            bound = self._of_origin[name] = self._delivered.labels(name), self._callback_seconds.labels(name)
        return bound

    def _counter(self, name: str, help_text: str, *labels: str) -> Counter:
        return Counter(f"{PREFIX}_{name}_total", help_text, labels, registry=self.registry)


class _Gauges(Collector):
    """Reads the relay when a Prometheus asks."""

    def __init__(self, read: Callable[[], Reading], names: OriginNames) -> None:
        self._read = read
        self._names = names

    def collect(self) -> Iterator[GaugeMetricFamily]:
        reading = self._read()
        state = _gauge("state", "1 for what this relay is at, else 0", "state")
        for each in ConsumerState:
            state.add_metric([each.value], float(each is reading.state))
        yield state
        yield up_or_down(PREFIX, reading.connections)
        age = max(0.0, time() - reading.oldest) if reading.oldest is not None else 0.0
        oldest = _gauge("oldest_result_age_seconds", "Age of the oldest result here or on a rung; 0 if none is")
        oldest.add_metric([], age)
        yield oldest
        yield from self._of_origins(reading.paces)

    def _of_origins(self, paces: Mapping[str, Pace[Any]]) -> Iterator[GaugeMetricFamily]:
        results: dict[tuple[str, str], int] = {}
        states: dict[tuple[str, str], int] = {}
        for origin, pace in paces.items():
            name = self._names.name_of(origin)
            counts = {"waiting": len(pace.waiting), "under_way": len(pace.under_way), "on_rung": pace.away}
            for where, count in counts.items():
                results[name, where] = results.get((name, where), 0) + count
            for each in Health:
                states[name, each.value] = states.get((name, each.value), 0) + int(each is pace.health)
        for metric, counted in (
            (_gauge("results", "Results that are here or on a rung", "origin", "where"), results),
            (_gauge("origins", "LMSs that are in this state", "origin", "state"), states),
        ):
            for labels, count in counted.items():
                metric.add_metric(labels, count)
            yield metric


def _gauge(name: str, help_text: str, *labels: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"{PREFIX}_{name}", help_text, labels=labels)
