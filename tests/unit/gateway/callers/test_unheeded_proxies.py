"""The warning that a proxy is not trusted: once, and only where its header is not heeded."""

import logging
from typing import Any

import pytest
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gateway.callers.origin import UnheededProxies

PROXY = "10.0.0.5"


async def passed_on(scope: Scope, receive: Receive, send: Send) -> None:
    scope["passed on"] = True


async def warnings(caplog: pytest.LogCaptureFixture, app: Any, *forwarded: str | None) -> list[str]:
    for each in forwarded:
        headers = [(b"host", b"x")] if each is None else [(b"x-forwarded-for", each.encode())]
        scope: dict[str, Any] = {"type": "http", "client": (PROXY, 1), "scheme": "http", "headers": headers}
        nothing: Any = None
        await app(scope, nothing, nothing)
        assert scope["passed on"]
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


async def test_a_proxy_that_is_not_trusted_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    [said] = await warnings(caplog, UnheededProxies(passed_on), None, "192.0.2.1", "192.0.2.2")
    assert said.startswith(f"{PROXY} sends X-Forwarded-For and is not in TRUSTED_PROXIES")


@pytest.mark.parametrize("forwarded", [None, "", " , "])
async def test_without_the_header_nothing_is_said(forwarded: str | None, caplog: pytest.LogCaptureFixture) -> None:
    assert await warnings(caplog, UnheededProxies(passed_on), forwarded) == []


@pytest.mark.parametrize("forwarded", ["192.0.2.1", "192.0.2.9, 192.0.2.1", "192.0.2.1:4711", "[2001:db8::1]:443"])
async def test_of_a_trusted_proxy_nothing_is_said(forwarded: str, caplog: pytest.LogCaptureFixture) -> None:
    app: ASGIApp = UnheededProxies(passed_on)
    heeding: Any = ProxyHeadersMiddleware(app, trusted_hosts=[PROXY])  # type: ignore[arg-type]
    assert await warnings(caplog, heeding, forwarded) == []
