"""What an operator reads of an error: words, also where it brings none."""

import asyncio

import pytest
from aiormq.exceptions import ConnectionClosed, InvalidFrameError, ProbableAuthenticationError
from pika.exceptions import ChannelClosedByBroker, StreamLostError

from broker_setup.link.refusals import in_words

RESET = "connection reset by peer"
UNEXPECTED = "Expected one of ['X.Ok'], got <X.No>"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (None, "the connection was lost"),
        (asyncio.CancelledError(asyncio.CancelledError()), "the connection was lost"),
        (TimeoutError(), "no answer in time"),
        (OSError("refused,\n  again"), "refused, again"),
        (RuntimeError(), "no reason given"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "connection refused"),
        (
            ConnectionClosed(320, "CONNECTION_FORCED - Closed via management plugin"),
            "CONNECTION_FORCED - Closed via management plugin",
        ),
        (StreamLostError("Stream connection lost: ConnectionResetError(104, 'Connection reset by peer')"), RESET),
        (InvalidFrameError("Expected one of ['X.Ok'], got <X.No object at 0x7f00>"), UNEXPECTED),
    ],
)
def test_every_error_has_words(error: BaseException | None, words: str) -> None:
    assert in_words(error) == words


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        (ProbableAuthenticationError("ACCESS_REFUSED - Login was refused using mechanism PLAIN"), "AMQP_URL"),
        (ChannelClosedByBroker(403, "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'u'"), "setup"),
        (ChannelClosedByBroker(404, "NOT_FOUND - no queue 'q' in vhost '/'"), "declare"),
        (InvalidFrameError("Expected one of ['Connection.OpenOk'], got <Connection.Close object at 0x7f>"), "virtual"),
    ],
)
def test_what_helps_against_a_refusal_stands_behind_it(error: BaseException, helps: str) -> None:
    assert helps in in_words(error)
    assert "0x" not in in_words(error)
    assert type(error).__name__ not in in_words(error)
