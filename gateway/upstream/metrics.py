"""The metrics of xqueue-upstream: what was taken of each queue there, and whether its upstream answers."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Counter, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from broker_setup.metrics_port.registries import process_registry, up_or_down

PREFIX = "xqueue_upstream"
_LABELS = ("upstream", "queue")


@dataclass(frozen=True)
class QueueMetrics:
    """What happens with one queue there is counted here."""

    taken: Counter
    repeats: Counter
    failures: Counter
    answers: Gauge


class Metrics:
    """Hands each queue its counters; `registry` is what a Prometheus may see."""

    def __init__(self, connections: Callable[[], Mapping[str, bool]]) -> None:
        """Take which connections stand from `connections` each time that it is asked for."""
        self.registry = process_registry()
        self._taken = self._counter("taken", "Submissions that were taken out and handed in here")
        self._repeats = self._counter("repeats", "Submissions that were handed out again, and are here already")
        self._failures = self._counter("failures", "Requests that brought no answer that could be used")
        self._answers = Gauge(
            f"{PREFIX}_answers", "1 if the last request was answered as it should", _LABELS, registry=self.registry
        )
        self.registry.register(_Connections(connections))

    def of(self, upstream: str, queue: str) -> QueueMetrics:
        """Return what one queue there counts in."""
        return QueueMetrics(
            self._taken.labels(upstream, queue),
            self._repeats.labels(upstream, queue),
            self._failures.labels(upstream, queue),
            self._answers.labels(upstream, queue),
        )

    def _counter(self, name: str, help_text: str) -> Counter:
        return Counter(f"{PREFIX}_{name}_total", help_text, _LABELS, registry=self.registry)


class _Connections(Collector):
    """Reads which stand when a Prometheus asks."""

    def __init__(self, read: Callable[[], Mapping[str, bool]]) -> None:
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield up_or_down(PREFIX, self._read())
