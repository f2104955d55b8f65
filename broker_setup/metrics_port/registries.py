"""What a process shows to a Prometheus: its own metrics, and what it takes of the machine."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, ProcessCollector, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily


def process_registry() -> CollectorRegistry:
    """Make a registry that shows this process's memory, CPU and open files already."""
    # A series more for each counter, of which Prometheus makes nothing. It is a switch of the whole process.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    return registry


def up_or_down(prefix: str, connections: Mapping[str, bool]) -> GaugeMetricFamily:
    """Show which of the connections to the broker stand."""
    gauge = GaugeMetricFamily(
        f"{prefix}_broker_connection_up",
        "1 while the connection to the broker stands",
        labels=["connection"],
    )
    for name, is_up in connections.items():
        gauge.add_metric([name], float(is_up))
    return gauge
