"""An operator at a broker where one queue is archived."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from broker_setup.topology import Topology
from tests.support.archive import ArchiveOperator, archived_topology
from tests.support.broker import VHost


@pytest.fixture
def vhost(declared_vhosts: Callable[[Topology], AbstractContextManager[VHost]]) -> Iterator[VHost]:
    """A virtual host for this test alone, with the archive's queues on it."""
    with declared_vhosts(archived_topology()) as lent:
        yield lent


@pytest.fixture
def operator(vhost: VHost, tmp_path: Path) -> ArchiveOperator:
    return ArchiveOperator(vhost.amqp_url, tmp_path / "archive")
