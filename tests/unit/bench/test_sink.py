"""The light LMS of `make bench`, which may be told to take its time."""

import asyncio

import pytest

from bench.sink import Connection, Count

POST = b"POST /1/score_update HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc"


class Written(asyncio.Transport):
    """A transport that keeps what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.came: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.came.append(bytes(data))


@pytest.fixture
def connection() -> Connection:
    return Connection(Count())


def connected(connection: Connection) -> Written:
    transport = Written()
    connection.connection_made(transport)
    return transport


def test_a_callback_is_answered_at_once_and_counted(connection: Connection) -> None:
    transport = connected(connection)
    connection.data_received(POST + POST + b"GET / HTTP/1.1\r\n\r\n")
    assert len(transport.came) == 3
    assert b'"posts": 2, "distinct": 1' in transport.came[2]


async def test_or_when_so_many_seconds_have_passed(connection: Connection) -> None:
    transport = connected(connection)
    connection.data_received(b"GET /delay/0.05 HTTP/1.1\r\n\r\n" + POST)
    assert len(transport.came) == 1
    async with asyncio.timeout(60):
        while len(transport.came) < 2:
            await asyncio.sleep(0.01)
    connection.data_received(b"GET /delay/0 HTTP/1.1\r\n\r\n" + POST)
    assert len(transport.came) == 4
