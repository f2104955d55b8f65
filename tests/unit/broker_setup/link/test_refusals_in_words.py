"""What an operator reads of an error: words, also where it brings none."""

import pytest
from pika.exceptions import ChannelClosedByBroker, StreamLostError

from broker_setup.amqp.errors import ConnectionLostError
from broker_setup.link.refusals import in_words

RESET = "connection reset by peer"


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (None, "the connection was lost"),
        (TimeoutError(), "no answer in time"),
        (OSError("refused,\n  again"), "refused, again"),
        (RuntimeError(), "no reason given"),
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), "connection refused"),
        (
            ConnectionLostError("CONNECTION_FORCED - Closed via management plugin", 320),
            "CONNECTION_FORCED - Closed via management plugin",
        ),
        (StreamLostError("Stream connection lost: ConnectionResetError(104, 'Connection reset by peer')"), RESET),
        (RuntimeError("got <X.No object at 0x7f00>"), "got <X.No>"),
    ],
)
def test_every_error_has_words(error: BaseException | None, words: str) -> None:
    assert in_words(error) == words


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        (ConnectionLostError("ACCESS_REFUSED - Login was refused using mechanism PLAIN", 403), "AMQP_URL"),
        (ChannelClosedByBroker(403, "ACCESS_REFUSED - access to queue 'q' in vhost '/' refused for user 'u'"), "setup"),
        (ChannelClosedByBroker(404, "NOT_FOUND - no queue 'q' in vhost '/'"), "declare"),
        (ConnectionLostError("NOT_ALLOWED - vhost nope not found", 530), "virtual"),
    ],
)
def test_what_helps_against_a_refusal_stands_behind_it(error: BaseException, helps: str) -> None:
    assert helps in in_words(error)
    assert "0x" not in in_words(error)
    assert type(error).__name__ not in in_words(error)
