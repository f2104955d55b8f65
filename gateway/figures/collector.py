"""Hands families to Prometheus's library whenever it is asked for a page."""

from collections.abc import Callable, Iterable, Iterator

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from gateway.figures.families import Family, shown


class FamiliesCollector(Collector):
    """Collects what `families` returns at that moment."""

    def __init__(self, families: Callable[[], Iterable[Family]]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Return all of it."""
        yield from shown(self._families())
