"""Each exit code of docs/reference/exit-codes.md comes where the page says so; none of this needs a broker."""

import signal
import socket
import subprocess
from pathlib import Path

import pytest

from tests.support.gateway import wait_until
from tests.support.operator import environment, run
from tests.support.project import quoted, table_rows, text
from tests.support.warm_start import WarmProcess

PROGRAMS = {
    "xqueue-gateway": "gateway",
    "xqueue-relay": "callback_relay",
    "xqueue-passive": "gateway.passive",
    "xqueue-upstream": "gateway.upstream",
    "xqueue-console": "gateway.console",
}
SECONDS = 60.0
# Nobody listens there.
SETTINGS = {
    "AMQP_URL": "amqp://guest:guest@127.0.0.1:1/",
    "SECRET_KEY": "Zk3vW9qRt7LmXc2PbNhY8dGs",
    "USERS": '{"lms": "password"}',
    "XQUEUES": '{"called": "http://127.0.0.1:1/"}',
    "PORT": "0",
    "UPSTREAMS": '{"lms": {"url": "http://127.0.0.1:2/xqueue", "user": "watcher", "queues": {"there": "called"}}}',
    "UPSTREAM_PASSWORDS": '{"lms": "password"}',
    "CONSOLE_PORT": "0",
    "CONSOLE_ACCOUNTS": '{"ada": "password"}',
}


def started(program: str, folder: Path, *arguments: str, **settings: str) -> WarmProcess:
    streams = [Path("/dev/null"), folder / "out", folder / "err"]
    return WarmProcess(PROGRAMS[program], arguments, environment(**SETTINGS | settings), streams)


def ended(process: WarmProcess) -> int:
    try:
        return process.wait(SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def test_the_page_has_these_codes_and_no_others() -> None:
    codes: dict[str, set[str]] = {}
    for code, which, _ in table_rows(text("docs/reference/exit-codes.md")):
        codes.setdefault(code.strip("`"), set()).update(each.split()[0] for each in quoted(which))
    services = set(PROGRAMS)
    assert codes["1"] >= services
    assert codes["3"] == codes["SIGTERM"] == {"xqueue-gateway"}
    assert set(codes) == {"0", "1", "2", "3", "SIGTERM"}


def test_a_command_ends_with_0_1_or_2() -> None:
    assert run("completion", "bash").returncode == 0
    good = run("check-settings", **SETTINGS)
    services = "gateway, relay, passive, upstream, console"
    assert (good.returncode, good.stdout) == (0, f"{services}: can start with these settings\n")
    bad = run("check-settings", "gateway", **SETTINGS | {"PORT": "eighty", "USERS": ""})
    assert (bad.returncode, bad.stdout.count("\n"), bad.stderr) == (1, 2, "")
    assert run("declare", **SETTINGS).returncode == 1
    assert run("declare", PORT="eighty").returncode == 1
    assert run("check-settings", "broker").returncode == 2
    assert run("nonsense").returncode == 2


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_service_ends_with_1_for_wrong_settings_and_with_2_for_arguments(program: str, tmp_path: Path) -> None:
    assert ended(started(program, tmp_path, PORT="eighty", LOG_LEVEL="loud")) == 1
    said = (tmp_path / "err").read_text()
    assert "XQUEUE_PORT" in said
    assert "XQUEUE_LOG_LEVEL" in said
    assert "Traceback" not in said
    assert ended(started(program, tmp_path, "--nonsense")) == 2


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_service_that_is_stopped_ends_as_the_page_says(program: str, tmp_path: Path) -> None:
    process = started(program, tmp_path)
    # Each says so as soon as it would hear a signal.
    wait_until(lambda: "127.0.0.1:1" in (tmp_path / "err").read_text(), SECONDS, "it has not begun")
    process.send_signal(signal.SIGTERM)
    assert ended(process) == (-signal.SIGTERM if program == "xqueue-gateway" else 0)


@pytest.mark.parametrize(
    ("program", "key", "code"),
    [
        ("xqueue-gateway", "PORT", 3),
        ("xqueue-relay", "METRICS_PORT", 1),
        ("xqueue-passive", "PASSIVE_METRICS_PORT", 1),
        ("xqueue-upstream", "UPSTREAM_METRICS_PORT", 1),
        ("xqueue-console", "CONSOLE_PORT", 1),
    ],
)
def test_a_port_that_is_taken_ends_a_service(program: str, key: str, code: int, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert ended(started(program, tmp_path, **{key: str(taken.getsockname()[1])})) == code
    assert "Traceback" not in (tmp_path / "err").read_text()
