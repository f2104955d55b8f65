"""The image's health check, against a gateway or a relay of a few lines."""

import contextlib
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest

from deploy.image import healthcheck


@contextlib.contextmanager
def gateway(status: int, asked: list[str]) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize(("status", "code"), [(200, 0), (503, 1), (302, 1)])
def test_only_200_is_healthy(status: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    with gateway(status, asked) as port:
        monkeypatch.setenv("XQUEUE_PORT", str(port))
        assert healthcheck.main() == code
    assert asked == ["/healthz"]


def test_where_a_relay_shows_its_metrics_it_is_asked_and_no_gateway(monkeypatch: pytest.MonkeyPatch) -> None:
    with gateway(200, []) as relays, gateway(503, []) as gateways:
        monkeypatch.setenv("XQUEUE_PORT", str(gateways))
        monkeypatch.setenv("XQUEUE_METRICS_PORT", str(relays))
        assert healthcheck.main() == 0


def test_a_proxy_of_the_container_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with gateway(200, []) as port:
        monkeypatch.setenv("XQUEUE_PORT", str(port))
        assert healthcheck.main() == 0


def test_nobody_there_is_one_line_and_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("XQUEUE_PORT", str(unused.getsockname()[1]))
        assert healthcheck.main() == 1
    assert "ConnectionRefusedError" in capsys.readouterr().err


def test_a_gateway_that_does_not_answer_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(healthcheck, "TIMEOUT_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("XQUEUE_PORT", str(silent.getsockname()[1]))
        assert healthcheck.main() == 1
