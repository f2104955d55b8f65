"""What this process takes of the machine, as values: of several that are one gateway it is added up."""

from collections.abc import Iterator

from prometheus_client import ProcessCollector

from gateway.figures.families import TOTAL, Family, Together, number

_OF_ONE = {"process_start_time_seconds": Together.MOST, "process_max_fds": Together.LEAST}
_collector = ProcessCollector(registry=None)


def process_families() -> Iterator[Family]:
    """Show memory, CPU and open files, by the names that any program has for them."""
    for metric in _collector.collect():
        name = metric.name + (TOTAL if metric.type == "counter" else "")
        for sample in metric.samples:
            yield number(name, metric.documentation, sample.value, _OF_ONE.get(name, Together.SUM))
