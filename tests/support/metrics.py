"""Reading metrics: name to labels' values to value, whether from a registry or from a /metrics."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import aiohttp
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

from broker_setup.metrics_port.endpoint import Endpoint

Shown = Mapping[str, Mapping[tuple[str, ...], float]]


def shown_by(registry: CollectorRegistry) -> Shown:
    return _table(registry.collect())


async def scraped(url: str) -> Shown:
    """Ask as a Prometheus does; a name that isn't there is an empty table."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        return _table(text_string_to_metric_families(await answer.text()))


async def asked(endpoint: Endpoint, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"{endpoint.url}/{path}") as answer:
        return answer.status, (await answer.text()).strip()


def _table(families: Iterable[Metric]) -> Shown:
    table: defaultdict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
    for family in families:
        for sample in family.samples:
            table[sample.name][tuple(sample.labels.values())] = sample.value
    return table
