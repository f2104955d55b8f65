"""The run's broker under xdist."""

import pytest

from tests.support.broker import Broker


def test_all_workers_of_a_run_have_the_one_broker_of_its_controller(
    broker: Broker, request: pytest.FixtureRequest
) -> None:
    for_worker = getattr(request.config, "workerinput", None)
    assert for_worker is None or for_worker["broker"] == broker.as_dict()
