"""What /readyz says over HTTP while the ledger's consumer gets nothing more and nobody is told, and after that."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic
from typing import Any, cast

import aiohttp
import pytest
import uvicorn

from broker_setup.ledger import life
from broker_setup.link.connection import Link
from broker_setup.operator.setup.declare import declare
from broker_setup.settings import Settings
from gateway import app as module
from gateway.http.departure import Departure
from tests.support.broker import VHost
from tests.support.gateway import SECRET_KEY, USERS
from tests.support.stalling import stall
from tests.support.waiting import eventually

HEALED_SECONDS = 15.0


@pytest.fixture
def links(monkeypatch: pytest.MonkeyPatch) -> list[Link]:
    """The gateway's connections, to get at them."""
    made: list[Link] = []

    class Noted(Link):
        def __init__(self, url: str, name: str) -> None:
            super().__init__(url, name)
            made.append(self)

    monkeypatch.setattr(module, "Link", Noted)
    return made


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence is noticed some four times sooner."""
    monkeypatch.setattr(life, "QUIET_SECONDS", 0.8)
    monkeypatch.setattr(life, "TOO_OLD_SECONDS", 2.0)


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[str]:
    """Serve a gateway from this process; give its URL."""
    server = uvicorn.Server(uvicorn.Config(module.build(settings, Departure()), port=0, log_config=None))
    serving = asyncio.create_task(server.serve())
    try:
        await eventually(lambda: server.started)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


async def test_while_the_ledgers_consumer_stalls_readyz_says_so_and_it_is_healed_within_seconds(
    vhost: VHost, links: list[Link], tmp_path: Path
) -> None:
    settings = Settings(
        amqp_url=cast("Any", vhost.amqp_url),
        secret_key=cast("Any", SECRET_KEY),
        xqueues={"openedx": None},
        users=cast("Any", USERS),
        upload_path=tmp_path,
    )
    await asyncio.to_thread(declare, vhost.amqp_url, settings.topology)
    async with served(settings) as url, aiohttp.ClientSession() as session:

        async def ready() -> tuple[int, str]:
            async with session.get(f"{url}/readyz") as answer:
                return answer.status, json.dumps(await answer.json())

        async def is_ready() -> bool:
            return (await ready())[0] == 200

        async def says_why() -> bool:
            status, said = await ready()
            return status == 503 and ("not delivered" in said or "nothing has come" in said)

        await eventually(is_ready, seconds=30)
        [reading] = [link for link in links if link.name.endswith("ledger")]
        await stall(reading)
        stalled_at = monotonic()
        await eventually(says_why, seconds=30)
        await eventually(is_ready, seconds=30)
        assert monotonic() - stalled_at < HEALED_SECONDS
        assert reading.opened == 2
