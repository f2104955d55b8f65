"""A virtual host with the topology, the grader's side of it, and a fake LMS."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from broker_setup.settings import Settings
from broker_setup.topology import Topology
from tests.support.broker import Broker, VHost, temporary_vhost
from tests.support.lms import FakeLMS, running_lms
from tests.support.relay import Results, grader_side, results_at, settings_for

TOPOLOGY = settings_for("amqp://nobody@localhost/").topology


@pytest.fixture
def vhost(
    request: pytest.FixtureRequest, broker: Broker, declared_vhosts: Callable[[Topology], AbstractContextManager[VHost]]
) -> Iterator[VHost]:
    """A virtual host for this test alone, with the usual topology on it where the test has `results`."""
    is_declared = "results" in request.fixturenames
    with declared_vhosts(TOPOLOGY) if is_declared else temporary_vhost(broker) as lent:
        yield lent


@pytest.fixture
def settings(vhost: VHost) -> Settings:
    return settings_for(vhost.amqp_url)


@pytest.fixture
async def results(settings: Settings) -> AsyncIterator[Results]:
    async with grader_side(settings) if settings.topology == TOPOLOGY else results_at(settings) as side:
        yield side


@pytest.fixture
async def lms() -> AsyncIterator[FakeLMS]:
    async with running_lms() as running:
        yield running
