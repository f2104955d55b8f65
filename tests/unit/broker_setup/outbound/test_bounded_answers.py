"""However much a server sends at once, no more of it is parsed than one answer may have."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock

import pytest
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

from broker_setup.outbound.bounded_answers import MOST_ANSWERS, PIECE, BoundedConnector

MOST_BYTES = 64 * 1024
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
PROMISE = b"HTTP/1.1 102 Processing\r\n\r\n"
# As much as the event loop hands over at once.
MUCH = 256 * 1024


@pytest.fixture
async def answers() -> AsyncIterator[ResponseHandler]:
    """Make what reads a connection's answers, and let it await the first."""
    connector = BoundedConnector(most_bytes=MOST_BYTES)
    async with connector:
        yield connected(connector)


def connected(connector: BoundedConnector) -> ResponseHandler:
    answers: ResponseHandler = connector._factory()
    transport = Mock(asyncio.Transport)
    transport.is_closing.return_value = False
    transport.abort.side_effect = lambda: setattr(transport.is_closing, "return_value", True)
    answers.connection_made(transport)
    answers.set_response_params()
    return answers


def is_ended(answers: ResponseHandler) -> bool:
    return not answers.is_connected()


async def all_of(answers: ResponseHandler) -> list[Any]:
    return [await answers.read() for _ in range(len(answers))]


@pytest.mark.parametrize("unit", [PROMISE, OK], ids=["promises", "answers that nobody asked for"])
async def test_of_a_flood_a_few_are_read_and_the_connection_ends(answers: ResponseHandler, unit: bytes) -> None:
    answers.data_received(unit * (MUCH // len(unit)))
    assert is_ended(answers)
    assert len(await all_of(answers)) == MOST_ANSWERS
    with pytest.raises(HttpProcessingError, match="too many answers"):
        await answers.read()


async def test_a_flood_that_drips_ends_as_well(answers: ResponseHandler) -> None:
    for _ in range(MOST_ANSWERS):
        answers.data_received(PROMISE)
    assert not is_ended(answers)
    answers.data_received(PROMISE)
    assert is_ended(answers)


@pytest.mark.parametrize("chunk", [b"1\r\nx\r\n", b"1;" + b"x" * 90 + b"\r\nx\r\n"], ids=["tiny", "extended"])
async def test_chunks_are_counted_with_what_is_around_them(answers: ResponseHandler, chunk: bytes) -> None:
    answers.data_received(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk * (MUCH // len(chunk)))
    assert is_ended(answers)
    [(head, body)] = await all_of(answers)
    assert head.code == 200
    assert 0 < len(body.read_nowait(-1)) <= (MOST_BYTES + PIECE) // len(chunk)


async def test_each_request_on_a_connection_has_an_answer_of_full_length(answers: ResponseHandler) -> None:
    body = bytes(MOST_BYTES - 2 * PIECE)
    for _ in range(MOST_ANSWERS + 3):
        answers.set_response_params()
        answers.data_received(PROMISE + b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        [_, (head, read)] = await all_of(answers)
        assert head.code == 200
        assert read.read_nowait(-1) == body
        assert not is_ended(answers)
