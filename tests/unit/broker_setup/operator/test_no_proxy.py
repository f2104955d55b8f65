"""The administrator's password goes to the management API and to nobody in between."""

import socket
from collections.abc import Iterator

import pytest

from broker_setup.errors import BrokerUnavailableError
from broker_setup.operator.management_api import Management

NAMES = ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """Where the environment sends everybody who heeds it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        for name in NAMES:
            monkeypatch.setenv(name, f"http://127.0.0.1:{listening.getsockname()[1]}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        yield listening


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_of_the_environment_is_asked_nothing(proxy: socket.socket, scheme: str) -> None:
    url = f"{scheme}://admin:secret@broker.invalid:15672"
    with Management(url, "/", patience=10) as api, pytest.raises(BrokerUnavailableError):
        api.version()
    with pytest.raises(BlockingIOError):
        proxy.accept()
