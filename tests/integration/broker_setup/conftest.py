"""A virtual host with the topology on it, and what looks into it."""

from collections.abc import Callable

import pika
import pytest

from broker_setup.link import publisher
from broker_setup.operator.setup.declare import declare
from broker_setup.topology import Topology, topology
from tests.support.broker import VHost

TOPOLOGY = topology(["openedx", "q.2"], (0.3, 1, 3600), (3600,))


@pytest.fixture
def example() -> Topology:
    """Two queues, three rungs and a queue of notices."""
    return TOPOLOGY


@pytest.fixture
def declared(vhost: VHost) -> VHost:
    """A virtual host of this test's own, ready for use."""
    declare(vhost.amqp_url, TOPOLOGY)
    return vhost


@pytest.fixture
def _no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishers give the broker a minute to confirm: for floods whose size is tested, not their speed."""
    monkeypatch.setattr(publisher, "CONFIRM_TIMEOUT_SECONDS", 60.0)


@pytest.fixture
def count(vhost: VHost) -> Callable[[str], int]:
    """How many messages wait in a queue; counted by the broker itself, not by its statistics."""

    def messages(queue: str) -> int:
        with pika.BlockingConnection(pika.URLParameters(vhost.amqp_url)) as connection:
            found: int = connection.channel().queue_declare(queue, passive=True).method.message_count
            return found

    return messages
