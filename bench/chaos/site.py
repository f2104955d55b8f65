"""XQueue's processes on a cluster: at most three gateways, two relays, a bridge, an AMQP grader."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bench.chaos.clock import clock_off_by
from bench.chaos.cluster import AMQP_QUEUE, BRIDGE_QUEUE, QUEUE, Cluster
from bench.chaos.grader import GRADED
from bench.chaos.part import Part
from bench.stack import BenchError
from tests.support.broker import CACHE
from tests.support.gateway import SECRET_KEY, USERS
from tests.support.ports import free_port
from tests.support.proxy import Proxy

GATEWAYS = ("gateway a", "gateway b", "gateway c")
RELAYS = ("relay a", "relay b")
BRIDGE, AMQP_GRADER = "bridge", "AMQP grader"
PARTS = (*GATEWAYS, *RELAYS, BRIDGE, AMQP_GRADER)
MODULES = {BRIDGE: "gateway.passive", AMQP_GRADER: "bench.chaos.grader"}
START_SECONDS = 90.0
LOOK_SECONDS = 0.1
LEASE_MINUTES = 1.0
# Short, so that what an outage has sent on a rung comes back while we look.
RETRY_DELAYS = [1, 3, 5]

Site = Mapping[str, Part]


@dataclass(frozen=True)
class Places:
    """Which processes there are: the node on which each begins, by its number from 0, and how far its clock is off."""

    homes: Mapping[str, int]
    clocks: Mapping[str, int] = field(default_factory=dict)  # seconds
    cold: bool = True  # whether they are started as in production


@asynccontextmanager
async def running_site(cluster: Cluster, vhost: str, places: Places, folder: Path, passive: str) -> AsyncIterator[Site]:
    """Run the processes for as long as the block runs; `passive` is the URL that the bridge calls."""
    async with AsyncExitStack() as started:
        site: dict[str, Part] = {}
        for name in places.homes:
            ways = [Proxy(member.amqp_url(vhost)) for member in cluster.members]
            for number, way in enumerate(ways):
                started.push_async_callback(way.close)
                if number == places.homes[name]:
                    await way.open()
            part = _part(name, ways, folder, passive, cold=places.cold)
            part.knows(await asyncio.to_thread(clock_off_by, places.clocks.get(name, 0), CACHE, print))
            started.callback(part.kill)
            part.start()
            site[name] = part
        for name, part in site.items():
            # A gateway whose clock is off is never ready, and has to answer all the same.
            await _wait_until(part, _is_connected if places.clocks.get(name) else _is_up)
        for name, part in site.items():
            for number, way in enumerate(part.ways):
                if number != places.homes[name]:
                    await way.open()
        yield site


def _part(name: str, ways: Sequence[Proxy], folder: Path, passive: str, *, cold: bool) -> Part:
    log = folder / f"{name.replace(' ', '-')}.log"
    settings = _settings(ways, folder, passive)
    if name in GATEWAYS:
        port = free_port()
        url, settings = f"http://127.0.0.1:{port}", settings | {"PORT": str(port)}
        return Part(name, "gateway", settings=settings, log=log, ways=ways, url=url, cold=cold)
    part = Part(name, MODULES.get(name, "callback_relay"), settings=settings, log=log, ways=ways, cold=cold)
    if name == AMQP_GRADER:
        part.knows({GRADED: str(graded_file(folder))})
    return part


def graded_file(folder: Path) -> Path:
    """Return where the AMQP grader notes what it graded."""
    return folder / "graded.txt"


def _settings(ways: Sequence[Proxy], folder: Path, passive: str) -> dict[str, str]:
    return {
        "AMQP_URL": ",".join(way.url for way in ways),
        "SECRET_KEY": SECRET_KEY,
        "XQUEUES": json.dumps({QUEUE: None, AMQP_QUEUE: None, BRIDGE_QUEUE: passive}),
        "USERS": json.dumps(USERS),
        "UPLOAD_PATH": str(folder / "uploads"),
        "RETRY_DELAYS": json.dumps(RETRY_DELAYS),
        "NOTICE_GRACE": "0",
        "SUBMISSION_PROCESSING_DELAY": str(LEASE_MINUTES),
    }


async def _is_connected(part: Part) -> bool:
    return part.connections > 0


async def _is_up(part: Part) -> bool:
    if not part.url:
        return part.connections > 0
    try:
        async with aiohttp.ClientSession() as session, session.get(f"{part.url}/readyz") as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


async def _wait_until(part: Part, holds: Callable[[Part], Awaitable[bool]]) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await holds(part):
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        raise BenchError(f"{part.name} did not come up:\n{part.log[-2000:]}") from None
