"""An LMS that closes a kept connection as the next callback comes: that is no failure of the LMS, nor of the result."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from yarl import URL

from broker_setup.settings import Settings
from callback_relay.callback import Callback
from callback_relay.outcome import Answered, NoAnswer
from callback_relay.poster import ONE_PIECE, Poster, poster_for
from callback_relay.reason import Slug
from tests.support.lms import LOOPBACK

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
SMALL = b"reply"
LARGE = b"x" * (4 * ONE_PIECE)


@dataclass
class ClosingLms:
    """Answers the first request of each connection, or only the very first; to the next it says `last`, and closes."""

    last: bytes = b""
    resets: bool = False
    only_once: bool = False
    url: str = ""
    connections: int = 0
    forms: list[bytes] = field(default_factory=list)

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                if self.connections == 1 or not self.only_once:
                    self.forms.append(await _form(reader))
                    writer.write(OK)
                await reader.readuntil(b"\r\n")
                writer.write(self.last)
                await writer.drain()
        finally:
            if self.resets:
                writer.transport.abort()
            writer.close()


async def _form(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    [length] = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return await reader.readexactly(int(length.partition(b":")[2]))


@contextlib.asynccontextmanager
async def running(lms: ClosingLms) -> AsyncIterator[Poster]:
    server = await asyncio.start_server(lms.talk, LOOPBACK, 0)
    lms.url = f"http://{LOOPBACK}:{server.sockets[0].getsockname()[1]}/score_update"
    try:
        async with poster_for(Settings(requests_timeout=10.0)) as poster:
            yield poster
    finally:
        server.close()


def callback(lms: ClosingLms, body: bytes = SMALL) -> Callback:
    return Callback(URL(lms.url), b"{}", body)


@pytest.mark.parametrize("body", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("resets", [False, True], ids=["closed", "reset"])
async def test_a_kept_connection_that_closes_costs_no_try(body: bytes, resets: bool) -> None:  # noqa: FBT001
    lms = ClosingLms(resets=resets)
    async with running(lms) as poster:
        for _ in range(3):
            assert await poster.post(callback(lms, body)) == Answered(200)
    assert lms.forms == [callback(lms, body).form()] * 3


async def test_a_new_connection_that_closes_is_a_failure() -> None:
    lms = ClosingLms(only_once=True)
    async with running(lms) as poster:
        assert await poster.post(callback(lms)) == Answered(200)
        failed = await poster.post(callback(lms))
        assert isinstance(failed, NoAnswer)
        assert failed.reason.slug is Slug.CUT_OFF
        assert lms.connections == 2  # tried again once, not for ever
        assert isinstance(await poster.post(callback(lms)), NoAnswer)
        assert lms.connections == 3


async def test_an_answer_that_had_begun_is_not_asked_for_again() -> None:
    lms = ClosingLms(last=b"HTTP/1.1 200 OK\r\nX-Half: ")
    async with running(lms) as poster:
        assert await poster.post(callback(lms)) == Answered(200)
        assert isinstance(await poster.post(callback(lms)), NoAnswer)
    assert lms.connections == 1
