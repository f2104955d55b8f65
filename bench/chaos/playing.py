"""Plays one schedule: a site of its own, the load, the fault, and then until everything has come to its end."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from time import monotonic

import requests

from bench.chaos.cluster import AMQP_QUEUE, BRIDGE_QUEUE, QUEUE, Cluster
from bench.chaos.faults import Stage
from bench.chaos.load import Load, running_load
from bench.chaos.outcome import Outcome, outcome
from bench.chaos.schedules import Evidence, Schedule
from bench.chaos.site import LEASE_MINUTES, RETRY_DELAYS, Places, Site, graded_file, running_site
from bench.goals import Figure
from broker_setup.topology import topology
from tests.support.passive import running_grader

# A lease of which nobody knows runs a minute.
DRAIN_SECONDS = 150.0
LOOK_SECONDS = 0.1
QUEUES = (QUEUE, AMQP_QUEUE, BRIDGE_QUEUE)


async def play(
    schedule: Schedule, cluster: Cluster, folder: Path, say: Callable[[str], None], *, cold: bool = True
) -> tuple[Outcome, Sequence[Figure]]:
    """Play a schedule, judge it and measure what it bounds; processes' logs go to `folder`, what is odd is said.

    `cold` processes are started as in production.
    """
    await asyncio.to_thread(folder.mkdir)
    await cluster.heal()
    async with (
        cluster.vhost(topology(QUEUES, RETRY_DELAYS), schedule.leaders) as vhost,
        running_grader() as passive,
        running_site(cluster, vhost, Places(schedule.homes, schedule.clocks, cold), folder, passive.url) as site,
        running_load(site, schedule.thinking) as load,
    ):
        await asyncio.sleep(schedule.warm_up)
        before = _connections(site)
        stage = Stage(cluster, vhost, site, load)
        since = monotonic()  # what a fault takes to begin counts, too
        async with schedule.fault(stage):
            await asyncio.sleep(schedule.seconds)
        until = monotonic()
        await asyncio.sleep(schedule.after)
        load.submits = False
        drained = await _drained(load, until)
        anew = {name: number - before[name] for name, number in _connections(site).items()}
        seen = Evidence(load.journal, since, until, monotonic(), drained, anew)
        ended = [name for name, part in site.items() if not part.is_alive]
        figures = [
            Figure(schedule.name, bound.what, bound.measure(seen), bound.at_most)
            for bound in (*schedule.bounds, *schedule.always)
        ]
        judged = outcome(
            schedule.name,
            seen.journal,
            lease_seconds=LEASE_MINUTES * 60,
            left=await _left(cluster, vhost) if seen.journal.missing else 0,
            again=_graded_again(graded_file(folder)),
            fault=(since, until),
        )
    for words in seen.journal.turned_down:
        say(f"turned down: {words}")
    for call, waited in seen.journal.slow.items():
        say(f"a {call.kind} at {call.gateway} took {waited:.1f} s, {call.began - since:.1f} s on: {call.outcome}")
    for key in sorted(seen.journal.missing):
        say(f"no callback for {key}")
    return judged, [*figures, Figure(schedule.name, "processes that ended", len(ended), 0)]


def _connections(site: Site) -> Mapping[str, int]:
    return {name: part.connections for name, part in site.items()}


def _graded_again(graded: Path) -> int:
    counts = Counter(graded.read_text().split() if graded.exists() else ())
    return counts.total() - len(counts)


async def _left(cluster: Cluster, vhost: str) -> int:
    try:
        return await asyncio.to_thread(cluster.left, vhost)
    except requests.RequestException:
        return 0  # what can't be found counts as lost


async def _drained(load: Load, since: float) -> float:
    """Return how long after `since` all that was accepted had its callback, or how long that was waited for."""
    deadline = since + DRAIN_SECONDS
    while (load.submitters or load.journal.missing) and monotonic() < deadline:
        await asyncio.sleep(LOOK_SECONDS)
    return monotonic() - since
