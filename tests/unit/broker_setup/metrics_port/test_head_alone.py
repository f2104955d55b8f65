"""Of what comes on a connection the metrics' server sees one head, and nothing behind it."""

import asyncio
from unittest.mock import Mock

import pytest

from broker_setup.metrics_port.head_alone import MOST_BYTES, HeadAlone

HEAD = b"POST /metrics HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
BODY = b"1\r\nx\r\n" * 50


def handed_over(sent: bytes, size: int) -> bytes:
    """Return what of `sent` a server gets if it comes in pieces of `size`."""
    server = Mock(asyncio.Protocol)
    connection = HeadAlone(server)
    for start in range(0, len(sent), size):
        connection.data_received(sent[start : start + size])
    return b"".join(call.args[0] for call in server.data_received.call_args_list)


@pytest.mark.parametrize("size", [*range(1, 9), len(HEAD) - 2, len(HEAD), 1000])
@pytest.mark.parametrize("behind", [BODY, HEAD, b"\r\n\r\n"], ids=["a body", "another request", "another end"])
def test_what_stands_behind_the_head_is_dropped(behind: bytes, size: int) -> None:
    assert handed_over(HEAD + behind, size) == HEAD


@pytest.mark.parametrize("size", [7, 4096, MOST_BYTES, 10 * MOST_BYTES])
def test_of_a_head_without_an_end_there_is_no_more_than_so_much(size: int) -> None:
    assert handed_over(b"X" * 10 * MOST_BYTES, size) == b"X" * MOST_BYTES


def test_what_else_happens_on_the_connection_the_server_learns() -> None:
    server, transport, error = Mock(asyncio.Protocol), Mock(asyncio.Transport), ConnectionResetError()
    connection = HeadAlone(server)
    connection.connection_made(transport)
    connection.pause_writing()
    connection.resume_writing()
    assert connection.eof_received() is server.eof_received.return_value
    connection.connection_lost(error)
    assert [name for name, _, _ in server.method_calls] == [
        "connection_made",
        "pause_writing",
        "resume_writing",
        "eof_received",
        "connection_lost",
    ]
    server.connection_made.assert_called_with(transport)
    server.connection_lost.assert_called_with(error)
