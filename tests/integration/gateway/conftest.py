"""One gateway process for each module, on a virtual host of its own, and clients that speak to it."""

from collections.abc import Iterator
from functools import partial

import pytest

from tests.support.broker import Broker, VHost, temporary_vhost
from tests.support.broker_side import BrokerSide, broker_side
from tests.support.gateway import PATIENCE_SECONDS, Client, Gateway, running_gateway, wait_until
from tests.support.heartbeat import Heartbeat

# Longer than a module runs: what one test leaves leased should not come back in the middle of another.
LEASE_SECONDS = 600


@pytest.fixture(scope="module")
def module_vhost(broker: Broker) -> Iterator[VHost]:
    with temporary_vhost(broker) as made:
        yield made


@pytest.fixture(scope="module")
def heartbeat(tmp_path_factory: pytest.TempPathFactory) -> Heartbeat:
    """Make what measures how long a gateway's event loop stands, where that gateway is started with it."""
    return Heartbeat("gateway", tmp_path_factory.mktemp("heartbeat"))


@pytest.fixture(scope="module")
def settings() -> dict[str, str]:
    """The gateway's settings beside the usual ones; a module that needs others overrides this."""
    return {}


@pytest.fixture(scope="module")
def gateway(
    module_vhost: VHost, settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    long_leases = {"XQUEUE_SUBMISSION_PROCESSING_DELAY": str(LEASE_SECONDS / 60)}
    with running_gateway(module_vhost.amqp_url, folder, settings=long_leases | settings) as running:
        yield running
        assert "Traceback" not in running.log, running.log


@pytest.fixture(scope="module")
def beside(module_vhost: VHost, gateway: Gateway) -> Iterator[BrokerSide]:
    """The broker as seen from beside the gateway."""
    with broker_side(module_vhost.amqp_url) as side:
        yield side


@pytest.fixture
def lms(gateway: Gateway) -> Iterator[Client]:
    with Client(gateway.url, "lms") as client:
        yield client


@pytest.fixture
def grader(gateway: Gateway) -> Iterator[Client]:
    with Client(gateway.url, "grader") as client:
        yield client


@pytest.fixture
def stranger(gateway: Gateway) -> Iterator[Client]:
    """A client that has not logged in."""
    with Client(gateway.url, basic=False) as client:
        yield client


@pytest.fixture
def empty(grader: Client, beside: BrokerSide) -> None:
    """Begin with nothing waiting: what an earlier test left is graded, and all results are taken out."""
    for queue in ("openedx", "other"):
        wait_until(partial(_is_emptied, grader, queue), 2 * PATIENCE_SECONDS, f"{queue} is never empty")
    beside.take_all()


def _is_emptied(grader: Client, queue: str) -> bool:
    while taken := grader.get(queue):
        grader.put(taken["xqueue_header"], "left over")
    return grader.queuelen(queue) == 0
