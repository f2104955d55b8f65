"""A virtual host with the topology on it, and what looks into it."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pika
import pytest

from broker_setup.link import publisher
from broker_setup.topology import Topology, topology
from tests.support.broker import Broker, VHost, temporary_vhost

TOPOLOGY = topology(["openedx", "q.2"], (0.3, 1, 3600), (3600,))


@pytest.fixture
def example() -> Topology:
    """Two queues, three rungs and a queue of notices."""
    return TOPOLOGY


@pytest.fixture
def vhost(
    request: pytest.FixtureRequest, broker: Broker, declared_vhosts: Callable[[Topology], AbstractContextManager[VHost]]
) -> Iterator[VHost]:
    """A virtual host for this test alone, with the topology on it where it is `declared`."""
    is_declared = "declared" in request.fixturenames
    with declared_vhosts(TOPOLOGY) if is_declared else temporary_vhost(broker) as lent:
        yield lent


@pytest.fixture
def declared(vhost: VHost) -> VHost:
    """A virtual host for this test alone, ready for use."""
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
