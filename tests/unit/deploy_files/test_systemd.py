"""The systemd units are right to systemd, shut in as far as can be, and agree with the code and with their page."""

import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from broker_setup.settings import Settings
from broker_setup.settings.secret_files import FILE_SUFFIX, is_secret
from gateway.workers.crew import STOP_SECONDS
from tests.support.project import ROOT, pyproject, text

UNITS = sorted((ROOT / "deploy/systemd").glob("*.service"))
SERVICES = [unit for unit in UNITS if "prune" not in unit.name]
PAGE = text("docs/howto/systemd.md")
# systemd's own scale of 0 to 10, times ten: what it calls OK begins at 2.0.
EXPOSURE = 20


class Unit(ConfigParser):
    """A unit file, whose keys may stand several times: their values come together, a line each."""

    def __init__(self, path: Path) -> None:
        super().__init__(strict=False, interpolation=None, comment_prefixes=("#",), delimiters=("=",))
        lines: dict[str, dict[str, list[str]]] = {}
        section = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("["):
                section = line.strip("[]")
            elif line and not line.startswith("#"):
                key, _, value = line.partition("=")
                lines.setdefault(section, {}).setdefault(key, []).append(value)
        self.read_dict({name: {key: "\n".join(all_) for key, all_ in keys.items()} for name, keys in lines.items()})

    @property
    def environment(self) -> dict[str, str]:
        given = self["Service"]["Environment"].split()
        return {name.removeprefix("XQUEUE_"): value for name, _, value in (each.partition("=") for each in given)}


needs_systemd = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this system has no systemd")


@needs_systemd
def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    folder = ROOT / "deploy/systemd"
    for unit in (*folder.glob("*.service"), *folder.glob("*.timer")):
        # The commands are not installed here.
        (tmp_path / unit.name).write_text(re.sub(r"/opt/xqueue/bin/xqueue-\w+", "/bin/true", unit.read_text()))
    named = [path.with_name(path.name.replace("@.", "@18040.")) for path in sorted(tmp_path.iterdir())]
    ran = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *named], capture_output=True, text=True, timeout=60, check=False
    )
    # It also has something to say of the system's own units.
    assert [line for line in ran.stderr.splitlines() if "xqueue" in line] == []
    assert ran.returncode == 0, ran.stderr


@needs_systemd
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_unit_is_shut_in(unit: Path) -> None:
    ran = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", unit],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_what_a_unit_sets_and_runs_is_there(unit: Path) -> None:
    parsed = Unit(unit)
    commands = re.findall(r"/opt/xqueue/bin/(\S+)", unit.read_text())
    assert set(commands) <= set(pyproject()["project"]["scripts"])
    known = {name.upper() for name in Settings.model_fields} | {"CFG"}
    files = {f"{name.upper()}{FILE_SUFFIX}" for name in Settings.model_fields if is_secret(Settings, name)}
    assert set(parsed.environment) <= known | files
    loaded = {line.partition(":")[0] for line in parsed["Service"]["LoadCredential"].splitlines()}
    assert {value.removeprefix("%d/") for value in parsed.environment.values() if value.startswith("%d/")} == loaded


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_the_page_names_each_unit_and_each_file_that_it_reads(unit: Path) -> None:
    service = Unit(unit)["Service"]
    files = [line.partition(":")[2] for line in service["LoadCredential"].splitlines()]
    files += [line.removeprefix("-") for line in service["EnvironmentFile"].splitlines()]
    missing = [name for name in (unit.stem, *files) if name not in PAGE and Path(name).name not in PAGE]
    assert missing == []


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_service_has_time_to_stop_is_started_again_and_claims_no_notice(unit: Path) -> None:
    service = Unit(unit)["Service"]
    longest = 60 if "gateway" in unit.name else 0  # STOP_DELAY
    assert int(service["TimeoutStopSec"]) > STOP_SECONDS + longest
    assert service["Restart"] == "always"
    assert service["Type"] == "exec"  # nothing of ours calls sd_notify
    assert int(service["LimitNOFILE"]) > 2 * Settings.model_fields["max_connections"].default


def test_a_gateway_is_reloaded_only_after_a_look_at_the_settings_and_with_workers() -> None:
    service = Unit(ROOT / "deploy/systemd/xqueue-gateway@.service")["Service"]
    checks, hangs_up = service["ExecReload"].splitlines()
    assert checks.endswith("xqueue-broker check-settings gateway")
    assert hangs_up == "/bin/kill -HUP $MAINPID"
    # One that has no workers is ended by that signal.
    assert int(Unit(ROOT / "deploy/systemd/xqueue-gateway@.service").environment["WORKERS"]) > 1


def test_the_units_take_as_much_as_the_compose_file_gives() -> None:
    compose = text("deploy/compose/compose.yaml")
    for unit, limit in (("xqueue-gateway@", "2G"), ("xqueue-relay", "1536M")):
        assert Unit(ROOT / f"deploy/systemd/{unit}.service")["Service"]["MemoryMax"] == limit
        assert limit.lower() in compose


def test_the_folder_of_files_is_there_before_the_first_file_for_prune_files_misses_it_else() -> None:
    for name in ("xqueue-gateway@", "xqueue-prune-files"):
        unit = Unit(ROOT / f"deploy/systemd/{name}.service")
        assert unit.environment["UPLOAD_PATH"] == "%S/xqueue/uploads"
        assert "xqueue/uploads" in unit["Service"]["StateDirectory"].split()
