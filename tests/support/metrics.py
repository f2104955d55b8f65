"""Reading metrics: name to labels' values to value, whether from a registry or from a relay's /metrics."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

import aiohttp
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.parser import text_string_to_metric_families

Shown = Mapping[str, Mapping[tuple[str, ...], float]]


def shown_by(registry: CollectorRegistry) -> Shown:
    return _table(registry.collect())


async def scraped(url: str) -> Shown:
    """Ask as a Prometheus does; a name that isn't there is an empty table."""
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        return _table(text_string_to_metric_families(await answer.text()))


def _table(families: Iterable[Metric]) -> Shown:
    table: defaultdict[str, dict[tuple[str, ...], float]] = defaultdict(dict)
    for family in families:
        for sample in family.samples:
            table[sample.name][tuple(sample.labels.values())] = sample.value
    return table
