"""The bridge's metrics: what became of the submissions of each queue, and gauges that are read when asked for.

Queues are those of the settings, so there are as many series as an operator has asked for.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from broker_setup.metrics_port.registries import process_registry, up_or_down

PREFIX = "xqueue_passive"

# Seconds. GRADING_TIMEOUT is 30 s unless set, and graders that run programs take some of them.
GRADING_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


@dataclass(frozen=True)
class QueueReading:
    """What a queue's gauges show."""

    is_consumed: bool
    is_paused: bool
    under_way: int

    @property
    def is_served(self) -> bool:
        """Whether submissions come in, or should not."""
        return self.is_consumed or self.is_paused


@dataclass(frozen=True)
class Reading:
    """What the gauges show, as it is at this moment."""

    connections: Mapping[str, bool]
    queues: Mapping[str, QueueReading]


@dataclass(frozen=True)
class QueueMetrics:
    """What happens in one queue is counted here."""

    answered: Counter
    failed_tries: Counter
    given_up: Counter
    grading_seconds: Histogram


class Metrics:
    """Hands each queue its counters; `registry` is what a Prometheus may see."""

    def __init__(self, read: Callable[[], Reading], queues: Collection[str]) -> None:
        """Take the gauges from `read` each time that they are asked for."""
        self.registry = process_registry()
        answered = self._counter("answered", "Submissions and calls whose grader's reply is stored")
        failed_tries = self._counter("failed_tries", "Requests that brought no reply that could be used")
        given_up = self._counter("given_up", "Submissions parked, and calls refused, as all tries have failed")
        grading_seconds = Histogram(
            f"{PREFIX}_grading_seconds",
            "From a request to a grader to its outcome",
            ["queue"],
            buckets=GRADING_BUCKETS,
            registry=self.registry,
        )
        self._of = {
            queue: QueueMetrics(
                answered.labels(queue),
                failed_tries.labels(queue),
                given_up.labels(queue),
                grading_seconds.labels(queue),
            )
            for queue in queues
        }
        self.registry.register(_Gauges(read))

    def of(self, queue: str) -> QueueMetrics:
        """Return the counters of one queue."""
        return self._of[queue]

    def _counter(self, name: str, help_text: str) -> Counter:
        return Counter(f"{PREFIX}_{name}_total", help_text, ["queue"], registry=self.registry)


class _Gauges(Collector):
    """Reads the bridge when a Prometheus asks."""

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._read = read

    def collect(self) -> Iterator[GaugeMetricFamily]:
        reading = self._read()
        yield up_or_down(PREFIX, reading.connections)
        consuming = GaugeMetricFamily(f"{PREFIX}_consuming", "1 while the queue is consumed, else 0", labels=["queue"])
        paused = GaugeMetricFamily(f"{PREFIX}_paused", "1 while the queue is paused, else 0", labels=["queue"])
        under_way = GaugeMetricFamily(
            f"{PREFIX}_under_way", "Submissions at hand: with their grader, or waiting for a try", labels=["queue"]
        )
        for queue, each in reading.queues.items():
            consuming.add_metric([queue], float(each.is_consumed))
            paused.add_metric([queue], float(each.is_paused))
            under_way.add_metric([queue], each.under_way)
        yield consuming
        yield paused
        yield under_way
