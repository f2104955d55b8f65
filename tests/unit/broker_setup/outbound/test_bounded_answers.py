"""However much a server sends at once, no more of it is parsed than one answer may have."""

import asyncio
import socket
from collections.abc import AsyncIterator
from functools import partial
from itertools import count
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp import ClientPayloadError, StreamReader
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from broker_setup.outbound.bounded_answers import FIRST_BYTES, MOST_ANSWERS, MOST_KEPT, PIECE, BoundedConnector
from broker_setup.process.parsing_turns import TURN_SECONDS, ParsingTurns
from tests.support.waiting import PATIENCE_SECONDS, eventually

MOST_BYTES = 64 * 1024
UNTIL_THE_END = b"HTTP/1.1 200 OK\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PROMISE = b"HTTP/1.1 102 Processing\r\n\r\n"
KEY = ClientRequest("POST", URL("http://lms.example"), loop=Mock(asyncio.AbstractEventLoop)).connection_key
# As much as the event loop hands over at once.
MUCH = 256 * 1024


@pytest.fixture
async def answers() -> AsyncIterator[ResponseHandler]:
    """Make what reads a connection's answers, and let it await the first."""
    connector = BoundedConnector(most_bytes=MOST_BYTES, turns=ParsingTurns())
    async with connector:
        yield connected(connector)


def connected(connector: BoundedConnector) -> ResponseHandler:
    answers: ResponseHandler = connector._factory()
    transport = Mock(asyncio.Transport)
    transport.is_closing.return_value = False
    transport.abort.side_effect = lambda: setattr(transport.is_closing, "return_value", True)
    answers.connection_made(transport)
    answers.set_response_params(read_until_eof=True)
    return answers


async def talking(connector: BoundedConnector) -> tuple[ResponseHandler, socket.socket]:
    """Connect what reads answers to a socket, which is the server's."""
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    _, answers = await asyncio.get_running_loop().create_connection(connector._factory, sock=ours)
    answers.set_response_params(read_until_eof=True)
    return answers, theirs


@pytest.fixture
async def slow() -> AsyncIterator[ResponseHandler]:
    """Make one that parses one piece in each of its turns."""
    turns = ParsingTurns(partial(next, count(0.0, TURN_SECONDS)))
    connector = BoundedConnector(most_bytes=2 * MUCH, turns=turns)
    async with connector:
        yield connected(connector)


def answer_of(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


async def body_of(read: StreamReader) -> bytes:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await read.read()


def end_of(answers: ResponseHandler) -> asyncio.Future[None]:
    assert answers.closed is not None
    return answers.closed


def is_ended(answers: ResponseHandler) -> bool:
    return not answers.is_connected()


async def all_of(answers: ResponseHandler) -> list[Any]:
    return [await answers.read() for _ in range(len(answers))]


@pytest.mark.parametrize("unit", [PROMISE, OK], ids=["promises", "answers that nobody asked for"])
async def test_of_a_flood_a_few_are_read_and_the_connection_ends(answers: ResponseHandler, unit: bytes) -> None:
    answers.data_received(unit * (MUCH // len(unit)))
    await eventually(lambda: is_ended(answers))
    assert len(await all_of(answers)) == MOST_ANSWERS
    with pytest.raises(HttpProcessingError, match="too many answers"):
        await answers.read()


async def test_a_flood_that_drips_ends_as_well(answers: ResponseHandler) -> None:
    for _ in range(MOST_ANSWERS):
        answers.data_received(PROMISE)
    assert not is_ended(answers)
    answers.data_received(PROMISE)
    await eventually(lambda: is_ended(answers))


@pytest.mark.parametrize("chunk", [b"1\r\nx\r\n", b"1;" + b"x" * 90 + b"\r\nx\r\n"], ids=["tiny", "extended"])
async def test_chunks_are_counted_with_what_is_around_them(answers: ResponseHandler, chunk: bytes) -> None:
    answers.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * (MUCH // len(chunk)))
    await eventually(lambda: is_ended(answers))
    [(head, body)] = await all_of(answers)
    assert head.code == 200
    assert 0 < len(body.read_nowait(-1)) <= (MOST_BYTES + PIECE) // len(chunk)


async def test_each_request_on_a_connection_has_an_answer_of_full_length(answers: ResponseHandler) -> None:
    body = bytes(MOST_BYTES - 2 * PIECE)
    for _ in range(MOST_ANSWERS + 3):
        answers.set_response_params()
        answers.data_received(PROMISE + answer_of(body))
        [_, (head, read)] = await all_of(answers)
        assert head.code == 200
        assert await body_of(read) == body
        await eventually(lambda: not answers.should_close)
        assert not is_ended(answers)


async def test_what_came_before_the_end_is_read_before_it(slow: ResponseHandler) -> None:
    body, ended = bytes(MUCH), end_of(slow)
    slow.data_received(UNTIL_THE_END + body)
    slow.eof_received()
    slow.connection_lost(None)
    assert not ended.done()
    [(_, read)] = await all_of(slow)
    assert await body_of(read) == body
    await ended


async def test_an_answer_that_broke_off_ends_with_the_error_after_what_came_of_it(slow: ResponseHandler) -> None:
    slow.data_received(b"HTTP/1.1 200 OK\r\nContent-Length: 60001\r\n\r\n" + bytes(60000))
    slow.connection_lost(ConnectionResetError())
    [(_, read)] = await all_of(slow)
    with pytest.raises(ClientPayloadError):
        await body_of(read)
    assert read.total_bytes == 60000


async def test_the_end_waits_for_a_reader_that_has_enough(slow: ResponseHandler) -> None:
    slow.set_response_params(read_until_eof=True, read_bufsize=4 * PIECE)
    body, ended = bytes(16 * PIECE), end_of(slow)
    slow.data_received(UNTIL_THE_END + body)
    slow.connection_lost(None)
    [(_, read)] = await all_of(slow)
    await eventually(lambda: read.total_bytes > 8 * PIECE)
    await asyncio.sleep(0)
    assert read.total_bytes < len(body)
    assert await body_of(read) == body
    await ended


@pytest.mark.parametrize("end", ["close", "abort"])
@pytest.mark.parametrize("bufsize", [PIECE, MUCH], ids=["its reader has enough", "it waits for its turn"])
async def test_one_that_is_given_up_ends_whatever_is_kept(slow: ResponseHandler, end: str, bufsize: int) -> None:
    slow.set_response_params(read_until_eof=True, read_bufsize=bufsize)
    slow.data_received(UNTIL_THE_END + bytes(MUCH))
    for _ in range(5):
        await asyncio.sleep(0)
    ended = end_of(slow)
    slow.connection_lost(None)
    assert not ended.done()
    getattr(slow, end)()
    await ended


async def test_while_much_is_kept_nothing_is_read_from_the_socket(slow: ResponseHandler) -> None:
    transport: Any = slow.transport
    slow.data_received(answer_of(bytes(MOST_KEPT)))
    transport.pause_reading.assert_not_called()
    slow.data_received(bytes(2 * PIECE))
    transport.pause_reading.assert_called()
    assert not transport.resume_reading.called
    await eventually(lambda: transport.resume_reading.called)


async def test_no_other_request_goes_out_while_something_stands_behind_an_answer(slow: ResponseHandler) -> None:
    whole = next(answer for n in range(FIRST_BYTES) if len(answer := answer_of(bytes(n))) == FIRST_BYTES)
    slow.data_received(whole + OK)
    [(_, read)] = await all_of(slow)
    assert read.is_eof()
    assert len(slow) == 0
    assert slow.should_close


async def test_a_change_of_protocols_that_nobody_asked_for_ends_as_well(answers: ResponseHandler) -> None:
    answers.data_received(b"HTTP/1.1 101 Sure\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n" + bytes(MUCH))
    await eventually(lambda: is_ended(answers))


async def test_one_that_is_given_up_ends_also_where_the_other_side_reads_nothing() -> None:
    connector = BoundedConnector(most_bytes=MOST_BYTES, turns=ParsingTurns())
    async with connector:
        answers, theirs = await talking(connector)
        with theirs:
            assert isinstance(answers.transport, asyncio.Transport)
            while not answers.transport.get_write_buffer_size():
                answers.transport.write(bytes(MUCH))
            ended = end_of(answers)
            answers.close()
            async with asyncio.timeout(PATIENCE_SECONDS):
                await ended


async def test_an_answer_that_comes_before_its_request_ends_the_connection_and_answers_nothing() -> None:
    connector = BoundedConnector(most_bytes=MOST_BYTES, turns=ParsingTurns())
    async with connector:
        answers, theirs = await talking(connector)
        with theirs:
            theirs.send(OK)
            [_, body] = await answers.read()
            assert await body.read() == b"ok"
            connector._release(KEY, answers)
            assert answers.is_connected()
            theirs.send(OK)
            await eventually(lambda: is_ended(answers))
        assert await connector._get(KEY, []) is None
