"""Two gateways and two relays as processes on a cluster, each with a way of its own to each node, which can be cut."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bench.chaos.cluster import QUEUE, Cluster
from bench.stack import BenchError
from deploy.local.ports import pick
from tests.support.gateway import SECRET_KEY, USERS
from tests.support.proxy import Proxy
from tests.support.service_process import ServiceProcess, service_process

GATEWAYS = ("gateway a", "gateway b")
RELAYS = ("relay a", "relay b")
START_SECONDS = 60.0
LOOK_SECONDS = 0.1
LEASE_MINUTES = 1.0
# Short, so that what an outage has sent on a rung comes back while we look.
RETRY_DELAYS = [1, 3, 5]


@dataclass(frozen=True)
class Part:
    """A process and its ways to the nodes."""

    name: str
    process: ServiceProcess
    ways: Sequence[Proxy]
    url: str = ""

    def cut_off(self) -> None:
        """Pass nothing on between it and the cluster; its connections stay."""
        for way in self.ways:
            way.freeze()

    def join_again(self) -> None:
        """Pass everything on again."""
        for way in self.ways:
            way.thaw()

    @property
    def connections(self) -> int:
        """How often it has connected to the broker until now."""
        return self.process.log.count("connected to the broker")


Site = Mapping[str, Part]


@asynccontextmanager
async def running_site(cluster: Cluster, vhost: str, homes: Mapping[str, int], folder: Path) -> AsyncIterator[Site]:
    """Run the processes for as long as the block runs; each begins on the node that `homes` numbers."""
    async with AsyncExitStack() as started:
        site: dict[str, Part] = {}
        for name in (*GATEWAYS, *RELAYS):
            ways = [Proxy(member.amqp_url(vhost)) for member in cluster.members]
            for way in ways:
                await way.open()
                started.push_async_callback(way.close)
            for number, way in enumerate(ways):
                if number != homes[name]:
                    await way.close()
            port = pick(int(part.url.rpartition(":")[2]) for part in site.values() if part.url)
            is_gateway = name in GATEWAYS
            settings = _settings(ways, port if is_gateway else None, folder)
            module, log = "gateway" if is_gateway else "callback_relay", folder / f"{name.replace(' ', '-')}.log"
            process = await started.enter_async_context(service_process(module, settings, log, cold=True))
            site[name] = Part(name, process, ways, f"http://127.0.0.1:{port}" if is_gateway else "")
        for part in site.values():
            await _wait_until(part, _is_up)
        for name, part in site.items():
            for number, way in enumerate(part.ways):
                if number != homes[name]:
                    await way.open()
        yield site


def _settings(ways: Sequence[Proxy], port: int | None, folder: Path) -> dict[str, str]:
    return {
        "AMQP_URL": ",".join(way.url for way in ways),
        "SECRET_KEY": SECRET_KEY,
        "XQUEUES": json.dumps({QUEUE: None}),
        "USERS": json.dumps(USERS),
        "UPLOAD_PATH": str(folder / "uploads"),
        "RETRY_DELAYS": json.dumps(RETRY_DELAYS),
        "NOTICE_GRACE": "0",
        "SUBMISSION_PROCESSING_DELAY": str(LEASE_MINUTES),
    } | ({"PORT": str(port)} if port else {})


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
        raise BenchError(f"{part.name} did not come up:\n{part.process.log[-2000:]}") from None
