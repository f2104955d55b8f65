"""What keeps a parent from showing metrics is said to whoever starts it."""

from typing import Any

import pytest

from broker_setup.settings import Settings
from gateway.workers import showing
from gateway.workers.showing import show
from gateway.workers.tally import Tally


class NoName:
    """An endpoint whose host is none: Python can't even ask for its address."""

    async def __aenter__(self) -> None:
        raise UnicodeError("label empty")

    async def __aexit__(self, *_: object) -> None:
        raise AssertionError


@pytest.mark.timeout(30)
def test_whatever_keeps_the_port_from_being_opened_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint: Any = NoName()
    monkeypatch.setattr(showing, "metrics_endpoint", lambda *_: endpoint)
    with pytest.raises(UnicodeError):
        show(Settings(gateway_metrics_port=0), Tally())
