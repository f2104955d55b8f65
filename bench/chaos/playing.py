"""Plays one schedule: a site of its own, the load, the fault, and then until everything has come to its end."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic

from bench.chaos.cluster import QUEUE, Cluster
from bench.chaos.faults import Stage
from bench.chaos.load import Load, running_load
from bench.chaos.schedules import NOTHING_LOST, Evidence, Schedule
from bench.chaos.site import GATEWAYS, RETRY_DELAYS, Site, running_site
from bench.goals import Figure
from broker_setup.topology import topology

# The load alone, before anything happens and after it.
WARM_UP_SECONDS = 4.0
AFTER_SECONDS = 10.0
# A lease of which nobody knows runs a minute.
DRAIN_SECONDS = 150.0
LOOK_SECONDS = 0.1


async def play(schedule: Schedule, cluster: Cluster, folder: Path, say: Callable[[str], None]) -> Sequence[Figure]:
    """Play a schedule and measure what it bounds; the processes' logs go to `folder`, what is odd is said."""
    await asyncio.to_thread(folder.mkdir)
    await cluster.heal()
    async with (
        cluster.vhost(topology([QUEUE], RETRY_DELAYS), schedule.leaders) as vhost,
        running_site(cluster, vhost, schedule.homes, folder) as site,
        running_load({name: site[name].url for name in GATEWAYS}) as load,
    ):
        await asyncio.sleep(WARM_UP_SECONDS)
        before = _connections(site)
        stage = Stage(cluster, vhost, site, load)
        since = monotonic()  # what a fault takes to begin counts, too
        async with schedule.fault(stage):
            await asyncio.sleep(schedule.seconds)
        until = monotonic()
        await asyncio.sleep(AFTER_SECONDS)
        load.submits = False
        drained = await _drained(load, until)
        anew = {name: number - before[name] for name, number in _connections(site).items()}
        seen = Evidence(load.journal, since, until, monotonic(), drained, anew)
        ended = sum(not part.process.is_alive for part in site.values())
        figures = [
            Figure(schedule.name, bound.what, bound.measure(seen), bound.at_most)
            for bound in (*schedule.bounds, *NOTHING_LOST)
        ]
    for words in seen.journal.turned_down:
        say(f"turned down: {words}")
    return [*figures, Figure(schedule.name, "processes that ended", ended, 0)]


def _connections(site: Site) -> Mapping[str, int]:
    return {name: part.connections for name, part in site.items()}


async def _drained(load: Load, since: float) -> float:
    """Return how long after `since` all that was accepted had its callback, or how long that was waited for."""
    deadline = since + DRAIN_SECONDS
    while load.journal.missing and monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
    return monotonic() - since
