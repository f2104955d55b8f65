"""Where a request comes from, whether its connection is encrypted, and the warning that a proxy is not trusted."""

import logging
from typing import Any

import pytest
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from gateway.callers.origin import UnheededProxies, address_of, came_over_tls

PROXY = "10.0.0.5"


def request(host: str | None = "192.0.2.1", *, scheme: str = "http", asked: str = "xqueue:18040") -> Request:
    return Request(
        {
            "type": "http",
            "method": "POST",
            "path": "/",
            "query_string": b"",
            "scheme": scheme,
            "server": ("127.0.0.1", 18040),
            "client": (host, 1) if host else None,
            "headers": [(b"host", asked.encode())],
        }
    )


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2:ffff::", "2001:db8:1:2::"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("unix:", "unix:"),
        ("x" * 1000, "x" * 64),
        (None, ""),
    ],
)
def test_guesses_are_counted_by_address_and_of_ipv6_by_its_network(host: str | None, address: str) -> None:
    assert address_of(request(host)) == address


@pytest.mark.parametrize(
    ("scheme", "public_url", "asked", "tls"),
    [
        ("http", None, "xqueue:18040", False),
        ("https", None, "xqueue:18040", True),
        ("https", "http://xqueue.example", "xqueue.example", True),
        ("http", "http://xqueue.example", "xqueue.example", False),
        ("http", "https://xqueue.example", "xqueue.example", True),
        ("http", "https://xqueue.example", "XQueue.Example", True),
        ("http", "https://xqueue.example", "xqueue:18040", False),
        ("http", "https://xqueue.example", "", False),
    ],
)
def test_a_connection_is_encrypted_where_it_says_so_or_by_the_public_name(
    scheme: str, public_url: str | None, asked: str, *, tls: bool
) -> None:
    assert came_over_tls(request(scheme=scheme, asked=asked), public_url) is tls


# A proxy that is not trusted: said once, and only where its header is not heeded.


def looking() -> ASGIApp:
    """Make an application that looks at who forwarded its requests."""
    proxies = UnheededProxies()

    async def looks(scope: Scope, receive: Receive, send: Send) -> None:
        proxies.look(scope)

    return looks


async def warnings(caplog: pytest.LogCaptureFixture, app: Any, *forwarded: str | None) -> list[str]:
    for each in forwarded:
        headers = [(b"host", b"x")] if each is None else [(b"x-forwarded-for", each.encode())]
        scope: dict[str, Any] = {"type": "http", "client": (PROXY, 1), "scheme": "http", "headers": headers}
        nothing: Any = None
        await app(scope, nothing, nothing)
    return [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]


async def test_a_proxy_that_is_not_trusted_is_named_once(caplog: pytest.LogCaptureFixture) -> None:
    [said] = await warnings(caplog, looking(), None, "192.0.2.1", "192.0.2.2")
    assert said.startswith(f"{PROXY} sends X-Forwarded-For and is not in TRUSTED_PROXIES")


async def test_of_a_flood_of_names_only_the_last_are_looked_at(caplog: pytest.LogCaptureFixture) -> None:
    assert len(await warnings(caplog, looking(), PROXY + "," + "192.0.2.1," * 6_000)) == 1


@pytest.mark.parametrize("forwarded", [None, "", " , "])
async def test_without_the_header_nothing_is_said(forwarded: str | None, caplog: pytest.LogCaptureFixture) -> None:
    assert await warnings(caplog, looking(), forwarded) == []


@pytest.mark.parametrize("forwarded", ["192.0.2.1", "192.0.2.9, 192.0.2.1", "192.0.2.1:4711", "[2001:db8::1]:443"])
async def test_of_a_trusted_proxy_nothing_is_said(forwarded: str, caplog: pytest.LogCaptureFixture) -> None:
    heeding: Any = ProxyHeadersMiddleware(looking(), trusted_hosts=[PROXY])  # type: ignore[arg-type]
    assert await warnings(caplog, heeding, forwarded) == []
