"""A grader's metrics for a Prometheus, in a registry of its author's; nothing else of the library knows the client."""

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram

from xqueue_grader.watching import End

PREFIX = "xqueue_grader"
# Seconds. Programs of students run for some.
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)


class GraderMetrics:
    """Give it to a grader as `Options(watch=GraderMetrics())`; one for all graders of a process."""

    def __init__(self, registry: CollectorRegistry = REGISTRY) -> None:
        """Show them in `registry`, which is the library's own unless another one is given."""
        self._ended = Counter(
            f"{PREFIX}_submissions_total",
            "Submissions whose grading has ended, by how",
            ["queue", "end"],
            registry=registry,
        )
        self._seconds = Histogram(
            f"{PREFIX}_grading_seconds",
            "From the beginning of a grading until its reply was stored, or it failed",
            ["queue"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._under_way = Gauge(
            f"{PREFIX}_under_way", "Submissions that are being graded", ["queue"], registry=registry
        )

    def begun(self, queue: str) -> None:
        """Count a grading that begins; the queue's series are there from then on."""
        self._under_way.labels(queue).inc()
        for end in End:
            self._ended.labels(queue, end)

    def ended(self, queue: str, end: End, seconds: float) -> None:
        """Count one that has ended."""
        self._under_way.labels(queue).dec()
        self._ended.labels(queue, end).inc()
        self._seconds.labels(queue).observe(seconds)
