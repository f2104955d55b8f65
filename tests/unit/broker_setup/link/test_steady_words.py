"""What is said of a queue that can't be consumed: what passes by itself is no error, what the broker refuses is."""

import logging

import pytest

from broker_setup.amqp.channel import Channel
from broker_setup.amqp.errors import NOT_FOUND, ChannelClosedError
from broker_setup.errors import BrokerUnavailableError
from broker_setup.link.connection import Link
from broker_setup.link.steady_consumer import Steady


class Consumer(Steady):
    async def begin(self, channel: Channel) -> list[str]:
        return ["tag"]


@pytest.fixture
def consumer() -> Steady:
    return Consumer(Link("amqp://nowhere", "no link"), "xqueue.results", prefetch=1)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (BrokerUnavailableError("no connection to the broker"), "no connection to the broker"),
        (TimeoutError(), "no answer in time"),
        (ConnectionResetError(104, "Connection reset by peer"), "connection reset by peer"),
        (RuntimeError("<Channel object at 0x7f3c>"), "<Channel>"),
    ],
)
def test_what_passes_by_itself_is_a_warning_once(
    consumer: Steady, error: Exception, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    consumer.failed(error)
    consumer.failed(error)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage() == f"not consuming xqueue.results at the moment, trying again: {words}"


def test_what_the_broker_refuses_is_an_error_with_what_helps(
    consumer: Steady, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = ChannelClosedError("NOT_FOUND - no queue 'xqueue.results' in vhost '/'", NOT_FOUND)
    consumer.failed(refusal)
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage() == (
        "can't consume xqueue.results: NOT_FOUND - no queue 'xqueue.results' in vhost '/': "
        "`xqueue-broker declare` makes what is missing"
    )
