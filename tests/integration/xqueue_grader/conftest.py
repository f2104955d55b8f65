"""A virtual host with course queues on it, and both sides of them."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from broker_setup.topology import Topology
from tests.support.broker import VHost
from tests.support.grading import TOPOLOGY, Course, sides_of


@pytest.fixture
def vhost(declared_vhosts: Callable[[Topology], AbstractContextManager[VHost]]) -> Iterator[VHost]:
    """A virtual host for this test alone, with the course queues on it."""
    with declared_vhosts(TOPOLOGY) as lent:
        yield lent


@pytest.fixture
async def course(vhost: VHost) -> AsyncIterator[Course]:
    async with sides_of(vhost.amqp_url) as both_sides:
        yield both_sides
