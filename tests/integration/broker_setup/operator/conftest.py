"""An operator at a broker with all exchanges and queues, for the tests of what operators do."""

import pytest

from tests.support.broker import VHost
from tests.support.operator import Operator


@pytest.fixture
def operator(declared: VHost) -> Operator:
    return Operator(declared.amqp_url)
