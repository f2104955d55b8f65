"""A console as its pages are, in this process and without a broker: events are told to it, and forms are sent."""

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from html import unescape
from time import time
from typing import Any

import httpx
from pydantic import SecretStr

from broker_setup.ledger.answers import VALID
from broker_setup.ledger.events import AnyEvent
from broker_setup.ledger.frames import Frame, new_frame_id
from broker_setup.settings import Settings
from broker_setup.wire.sealed_urls import UrlSeals
from gateway.console.console import Console
from tests.support.waiting import eventually

SECRET = "Zk3vW9qRt7LmXc2PbNhY8dGs"
PASSWORD = "a person's password 1"
PEOPLE = ("ada", "vic", "quinn")


def console_settings(**changes: Any) -> Settings:
    """Ada acts on all, Vic looks at all, Quinn acts on the queue `other` alone."""
    values: dict[str, Any] = {
        "amqp_url": "amqp://guest:guest@127.0.0.1:1/",
        "secret_key": SecretStr(SECRET),
        "xqueues": {"openedx": None, "other": None},
        "console_port": 0,
        "console_accounts": {name: SecretStr(PASSWORD) for name in PEOPLE},
        "console_roles": {"ada": {"role": "operator"}, "quinn": {"role": "operator", "queues": ["other"]}},
    }
    return Settings(**values | changes)


class Desk:
    """A console, what is told to it, and a browser that has logged in."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.settings = settings or console_settings()
        self.console = Console(self.settings)
        self.seals = UrlSeals([SECRET])

    def tell(self, *events: AnyEvent, writer: str = "xqueue-gateway here:18040 7") -> None:
        following = self.console._following
        frame = Frame(new_frame_id(), writer, events, time())
        for event in events:
            following.ledger.state.apply(event)
        following._applied(frame, [VALID] * len(events))

    def browser(self, **headers: str) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app=self.console._server.config.app)  # type: ignore[arg-type]
        return httpx.AsyncClient(transport=transport, base_url="http://console.example", headers=headers)

    @asynccontextmanager
    async def logged_in(self, name: str) -> AsyncIterator[httpx.AsyncClient]:
        async with self.browser() as browser:
            answer = await browser.post("/login", data={"username": name, "password": PASSWORD})
            assert answer.status_code == 303, answer.text
            yield browser


def text_of(answer: httpx.Response) -> str:
    """What a person reads of a page."""
    body = re.sub(r"(?s)<(script|style|svg).*?</\1>", "", answer.text)
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", body)))


def form_token_in(answer: httpx.Response) -> str:
    found = re.search(r'name="form_token" value="(\w+)"', answer.text)
    assert found
    return found[1]


async def post(browser: httpx.AsyncClient, path: str, fields: Mapping[str, str | Sequence[str]]) -> httpx.Response:
    """Send a form as a page of the console has it."""
    token = form_token_in(await browser.get("/"))
    return await browser.post(path, data={"form_token": token, **fields})


@asynccontextmanager
async def running_console(settings: Settings) -> AsyncIterator[str]:
    """Run a console in this process; yield its address once it has read the ledger."""
    console = Console(settings)
    running = asyncio.create_task(console.run())
    url = f"http://127.0.0.1:{settings.console_port}"
    try:
        async with httpx.AsyncClient(trust_env=False) as client:

            async def is_ready() -> bool:
                if running.done():
                    running.result()
                with suppress(httpx.TransportError):
                    return (await client.get(f"{url}/readyz")).status_code == 200
                return False

            await eventually(is_ready, 90)
        yield url
    finally:
        console.stop()
        await running
