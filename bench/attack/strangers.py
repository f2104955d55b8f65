"""Rows 3, 10 and 11, and their variants: what whoever reaches a port may try, without any account."""

import asyncio
import contextlib
from http import HTTPStatus
from time import monotonic
from urllib.parse import urlsplit

import aiohttp
import psutil

from bench.attack.arena import Arena

PIPELINED_BYTES = 256_000
# Of a metrics port: 64 connections, and some that come and go.
METRICS_DESCRIPTORS = 80
PAGE_SECONDS = 1.0
DRIP_SECONDS = 0.5
_BODY_BYTES = 5_000


async def pipelined(arena: Arena) -> str:
    """Send 256 KB of requests on each of 100 connections, and read no answer."""
    request = b"GET /xqueue/status/ HTTP/1.1\r\nHost: x\r\n\r\n"
    requests = request * (PIPELINED_BYTES // len(request))
    await arena.again(lambda: _on_connections(arena.target.url, 100, requests, min(arena.seconds, 3)))
    return "100 connections at a time"


async def behind_a_body(arena: Arena) -> str:
    """Send a body and thousands of requests at once on each of 100 connections, and read no answer."""
    body = b"POST /xqueue/submit/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % _BODY_BYTES + b"x" * _BODY_BYTES
    requests = body + b"GET / HTTP/1.1\r\n\r\n" * 3_000
    await arena.again(lambda: _on_connections(arena.target.url, 100, requests, min(arena.seconds, 3)))
    return "100 connections at a time"


async def tiny_chunks(arena: Arena) -> str:
    """Send 256 KB of a body in chunks of one byte on each of 100 connections, again and again."""
    head = b"POST /xqueue/submit/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = head + b"1\r\nx\r\n" * (PIPELINED_BYTES // 6)
    await arena.again(lambda: _on_connections(arena.target.url, 100, body, min(arena.seconds, 3)))
    return "100 connections at a time"


async def dripping(arena: Arena) -> str:
    """Hold more connections than MAX_CONNECTIONS by bodies of which a byte comes now and then."""
    head = b"POST /xqueue/submit/ HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n"
    await _on_connections(arena.target.url, 1_001, head, arena.seconds, drip=b"x")
    return "1,001 connections"


async def silent(arena: Arena) -> str:
    """Hold more connections than MAX_CONNECTIONS, and ask nothing."""
    await _on_connections(arena.target.url, 1_001, b"", arena.seconds)
    return "1,001 connections"


async def metrics_port(arena: Arena) -> str:
    """Hold very many connections to the relay's metrics port, and ask for its page on others."""
    url, pid = arena.target.metrics_url, arena.target.processes.get("relay")
    if url is None or pid is None:
        return "left out: no metrics port of a relay whose process is known"
    relay, most, pages, longest = psutil.Process(pid), 0, 0, 0.0
    before = relay.num_fds()
    holding = asyncio.create_task(_on_connections(url, 1_001, b"GET /metrics HTTP/1.1\r\n", arena.seconds + 1))
    end = monotonic() + arena.seconds
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True), trust_env=False) as session:
        while monotonic() < end or not pages:
            began = monotonic()
            # One of those that go for a new one may be ours.
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url}/metrics") as answer:
                    pages += answer.status == HTTPStatus.OK
                    await answer.read()
                longest = max(longest, monotonic() - began)
            most = max(most, relay.num_fds() - before)
    await holding
    arena.measured("descriptors more than before", most, most=METRICS_DESCRIPTORS)
    arena.measured("its page at the longest", longest, most=PAGE_SECONDS, unit=" s")
    return f"1,001 connections, {pages} pages meanwhile"


async def _on_connections(url: str, number: int, sent: bytes, seconds: float, drip: bytes = b"") -> None:
    where = urlsplit(url)
    end = monotonic() + seconds

    async def connect() -> None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection(where.hostname, where.port, limit=1)
            try:
                writer.write(sent)
                while (left := end - monotonic()) > 0 and not writer.is_closing():
                    await asyncio.sleep(min(DRIP_SECONDS, left) if drip else left)
                    writer.write(drip)
            finally:
                writer.transport.abort()

    await asyncio.gather(*(connect() for _ in range(number)))
