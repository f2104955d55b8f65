"""What every service answers to --help and --version, and that it takes nothing else."""

import logging
import subprocess
import sys
import tomllib

import pytest

from broker_setup.process.command_line import our_version
from broker_setup.process.logs import LogLines
from tests.support.project import quoted, table_rows, text

SETTINGS = {quoted(row[0])[0]: row for row in table_rows(text("docs/reference/settings.md"))}
SERVICES = {
    "gateway": "xqueue-gateway",
    "gateway.passive": "xqueue-passive",
    "gateway.upstream": "xqueue-upstream",
    "gateway.console": "xqueue-console",
    "callback_relay": "xqueue-relay",
}


def run(module: str, *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", module, *arguments]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, env={"PATH": ""})
    return ran.returncode, ran.stdout, ran.stderr


@pytest.mark.parametrize("module", SERVICES)
def test_a_service_says_what_it_is_and_where_its_settings_stand_before_it_reads_them(module: str) -> None:
    code, said, _ = run(module, "--help")
    assert code == 0
    assert said.startswith(f"usage: {SERVICES[module]} ")
    assert "XQUEUE_CFG" in said
    assert "docs/reference/settings.md" in said
    who = SERVICES[module].removeprefix("xqueue-")
    names = said.rpartition(":")[2].replace(",", " ").split()
    assert sorted(names) == sorted(key for key, row in SETTINGS.items() if {who, "all"} & {*row[4].split(", ")})


@pytest.mark.parametrize("module", SERVICES)
def test_nothing_of_a_service_is_imported_for_an_answer_about_it(module: str) -> None:
    ask = f"import runpy, sys; sys.argv[1:] = ['--help']; runpy.run_module({module!r}, run_name='__main__')"
    told = "import atexit, sys; atexit.register(lambda: print(*sys.modules, file=sys.stderr))"
    ran = subprocess.run([sys.executable, "-c", f"{told}; {ask}"], capture_output=True, text=True, check=True)
    imported = set(ran.stderr.split())
    assert "argparse" in imported
    assert not imported & {"aiohttp", "asyncio", "broker_setup.settings", "pydantic", "starlette", f"{module}.starting"}


@pytest.mark.parametrize(("module", "name"), [*SERVICES.items(), ("broker_setup", "xqueue-broker")])
def test_each_command_says_its_version(module: str, name: str) -> None:
    assert run(module, "--version") == (0, f"{name} {our_version()}\n", "")


def test_what_is_no_option_is_refused() -> None:
    code, _, said = run("callback_relay", "start")
    assert code == 2
    assert "unrecognized arguments: start" in said


def test_the_version_is_the_projects() -> None:
    assert our_version() == tomllib.loads(text("pyproject.toml"))["project"]["version"]


def test_a_line_of_the_log_has_its_time_in_utc_and_the_server_a_plain_name() -> None:
    record = logging.LogRecord("uvicorn.error", logging.INFO, "", 0, "Started", (), None)
    record.created = 1795809221.25
    assert LogLines().format(record) == "2026-11-27T19:53:41.250Z INFO uvicorn: Started"
