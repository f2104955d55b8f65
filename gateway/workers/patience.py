"""Has a gateway begin, and take connections only when it could answer every call, or is told not to wait for that."""

import asyncio
from collections.abc import Callable
from functools import partial

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_LOOK_EVERY_SECONDS = 0.1
_OK = 200


class Patient:
    """An application whose server listens later: servers wait until the application says that it has started."""

    def __init__(self, application: ASGIApp, is_told: Callable[[], bool]) -> None:
        """`is_told` says whether to wait no longer."""
        self._application = application
        self._is_told = is_told

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the application answer; say that it has started when it is ready."""
        if scope["type"] == "lifespan":
            await self._application(scope, receive, partial(self._sent_in_time, send))
        else:
            await self._application(scope, receive, send)

    async def _sent_in_time(self, send: Send, message: Message) -> None:
        if message["type"] == "lifespan.startup.complete":
            await self._until_ready()
        await send(message)

    async def _until_ready(self) -> None:
        while not self._is_told() and not await is_ready(self._application):  # noqa: ASYNC110 - it asks
            await asyncio.sleep(_LOOK_EVERY_SECONDS)


async def is_ready(application: ASGIApp) -> bool:
    """Whether an application of this process answers /readyz with 200; no connection is needed to ask it."""
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/readyz",
        "raw_path": b"/readyz",
        "query_string": b"",
        "root_path": "",
        "headers": [],
        "client": None,
        "server": None,
        "state": {},
    }
    await application(scope, receive, send)
    return statuses == [_OK]
