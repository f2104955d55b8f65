"""The image's health check, against a service of a few lines."""

import contextlib
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from deploy.image import healthcheck


def runs(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the container's own process be this."""
    (folder / "cmdline").write_text(command)
    monkeypatch.setattr(healthcheck, "COMMAND", folder / "cmdline")


@pytest.fixture(autouse=True)
def _a_gateway_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs("/opt/xqueue/bin/python\0/opt/xqueue/bin/xqueue-gateway\0", tmp_path, monkeypatch)


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


@pytest.mark.parametrize(
    ("command", "key"),
    [
        ("/opt/xqueue/bin/python\0/opt/xqueue/bin/xqueue-relay\0", "XQUEUE_METRICS_PORT"),
        ("/opt/xqueue/bin/python\0/opt/xqueue/bin/xqueue-passive\0", "XQUEUE_PASSIVE_METRICS_PORT"),
        ("/opt/xqueue/bin/python\0/opt/xqueue/bin/xqueue-upstream\0", "XQUEUE_UPSTREAM_METRICS_PORT"),
        ("/sbin/docker-init\0--\0xqueue-relay\0", "XQUEUE_METRICS_PORT"),
    ],
)
def test_the_process_that_the_container_runs_is_asked_and_no_other(
    command: str, key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs(command, tmp_path, monkeypatch)
    with gateway(200, []) as asked, gateway(503, []) as other:
        for each in healthcheck.PORTS.values():
            monkeypatch.setenv(each, str(asked if each == key else other))
        assert healthcheck.main() == 0


def test_where_nothing_listens_nothing_is_sick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs("/opt/xqueue/bin/python\0/opt/xqueue/bin/xqueue-broker\0count\0", tmp_path, monkeypatch)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("XQUEUE_PORT", str(unused.getsockname()[1]))
        assert healthcheck.main() == 0
    runs("/opt/xqueue/bin/python\0/opt/xqueue/bin/xqueue-relay\0", tmp_path, monkeypatch)
    monkeypatch.setenv("XQUEUE_METRICS_PORT", "null")
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
