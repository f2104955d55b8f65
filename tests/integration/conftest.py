"""Virtual hosts that have a topology, for the tests of each folder.

Not beside the broker's fixtures: whoever imports those should not import our products, which is measured later.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest

from broker_setup.topology import Topology
from tests.support.broker import Broker, VHost
from tests.support.vhost_pool import VHostPool


@pytest.fixture(scope="session")
def declared_vhosts(broker: Broker) -> Iterator[Callable[[Topology], AbstractContextManager[VHost]]]:
    """Lend virtual hosts with a topology on them, which one test after the other uses."""
    pools: dict[str, VHostPool] = {}

    def lent(topology: Topology) -> AbstractContextManager[VHost]:
        return pools.setdefault(repr(topology), VHostPool(broker, topology)).vhost()

    yield lent
    for pool in pools.values():
        pool.close()
