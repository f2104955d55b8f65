"""A connection on which nothing is asked is closed after a while, which begins anew with each answer."""

import asyncio
from collections.abc import Callable
from typing import Any

import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from broker_setup.process.parsing_turns import ParsingTurns
from gateway.http.one_by_one import Line, OneByOne

KEPT = 75
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


class Clock:
    """The event loop, with a time of its own: what is to be called later is called by `pass_by`."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._now = 0.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self._now

    def call_later(self, after: float, call: Callable[[], None]) -> asyncio.Handle:
        self.due.append((self._now + after, call))
        return asyncio.Handle(call, (), self._loop)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def pass_by(self, seconds: float) -> None:
        self._now += seconds
        late = [call for at, call in self.due if at <= self._now]
        self.due = [(at, call) for at, call in self.due if at > self._now]
        for call in late:
            call()


class Client:
    """A transport that counts answers and notes that it was closed."""

    answers = 0
    is_closed = False

    def write(self, data: bytes) -> None:
        self.answers += data.count(b"HTTP/1.1 200")

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        """It sends nothing by itself."""

    resume_reading = pause_reading

    def get_extra_info(self, _: str) -> None:
        return None


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("hello")(scope, receive, send)


def connected(clock: Clock) -> tuple[OneByOne, Client]:
    config = uvicorn.Config(hello, lifespan="off", log_config=None, timeout_keep_alive=KEPT)
    config.load()
    loop: Any = clock
    client: Any = Client()
    connection = OneByOne(Line(), ParsingTurns(), config, ServerState(), {}, _loop=loop)
    connection.connection_made(client)
    return connection, client


async def asked(connection: OneByOne, client: Client, sent: bytes = REQUEST, answers: int = 1) -> None:
    expected = client.answers + answers
    connection.data_received(sent)
    async with asyncio.timeout(30):
        while client.answers < expected:
            await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_it_is_closed_so_long_after_its_last_answer_with_one_timer_for_all() -> None:
    clock = Clock()
    connection, client = connected(clock)
    for _ in range(5):
        await asked(connection, client)
        assert len(clock.due) == 1
        clock.pass_by(KEPT - 1)
        assert not client.is_closed
    clock.pass_by(1)
    assert client.is_closed
    assert clock.due == []


async def test_several_requests_at_once_are_one_wait() -> None:
    clock = Clock()
    connection, client = connected(clock)
    await asked(connection, client, REQUEST * 5, 5)
    clock.pass_by(KEPT - 1)
    assert not client.is_closed
    clock.pass_by(1)
    assert client.is_closed


async def test_while_something_is_asked_it_stays() -> None:
    clock = Clock()
    connection, client = connected(clock)
    await asked(connection, client)
    connection.data_received(REQUEST[:-2])
    clock.pass_by(2 * KEPT)
    assert not client.is_closed, "how long a head may take is another bound"
    await asked(connection, client, REQUEST[-2:])
    clock.pass_by(KEPT - 1)
    assert not client.is_closed
    clock.pass_by(1)
    assert client.is_closed
