"""What `make dist` makes: the same bytes wherever it is made, and packages that work apart from their tree."""

import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from email.parser import HeaderParser
from pathlib import Path
from zipfile import ZipFile

import pytest

from deploy.release.dist import make_dist
from deploy.release.distributions import present
from tests.support.once import made_once
from tests.support.project import ROOT, pyproject

HOME = "https://git.example/xqueue"
VERSION = pyproject()["project"]["version"]
WHEEL = f"packages/xqueue_rabbitmq-{VERSION}-py3-none-any.whl"
SDIST = f"packages/xqueue_rabbitmq-{VERSION}.tar.gz"
BILL = f"xqueue-rabbitmq-{VERSION}.cdx.json"
SCRIPTS = sorted(pyproject()["project"]["scripts"])

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a release is made of a commit")


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory, testrun_uid: str) -> Path:
    return made_once(tmp_path_factory, testrun_uid, "dist", lambda out: make_dist(ROOT, out, HOME, validate=False))


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_another_checkout_and_another_umask_make_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "an\u00f6ther place"
    with umask(0o077):
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(elsewhere)], check=True)
        make_dist(elsewhere, tmp_path / "out", HOME, validate=False)
    assert files(tmp_path / "out") == files(dist)


def test_all_that_is_made_has_its_checksum(dist: Path) -> None:
    made = files(dist)
    sums = made.pop("SHA256SUMS").decode()
    assert {WHEEL, SDIST, BILL} <= set(made)
    assert len([name for name in made if name.endswith(".whl")]) == len(present(ROOT))
    expected = [f"{hashlib.sha256(content).hexdigest()}  {name}" for name, content in sorted(made.items())]
    assert sums.splitlines() == expected


def test_the_bill_of_materials_has_what_the_services_run_on_with_its_hashes(dist: Path) -> None:
    bill = json.loads((dist / BILL).read_text())
    assert (bill["bomFormat"], bill["metadata"]["component"]["version"]) == ("CycloneDX", VERSION)
    names = {component["name"] for component in bill["components"]}
    assert {"aiohttp", "cryptography", "uvloop"} <= names
    assert "pytest" not in names
    assert all(component["externalReferences"][0]["hashes"] for component in bill["components"])


def test_the_sdist_has_tests_and_documents(dist: Path) -> None:
    with tarfile.open(dist / SDIST) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
        assert {(each.uid, each.mode & 0o022) for each in opened} == {(0, 0)}
    assert {"docs/architecture.md", "tests/conftest.py", "CHANGELOG.md", "deploy/requirements/run.txt"} <= names


def test_no_sdist_has_a_link_in_place_of_a_file(dist: Path) -> None:
    for sdist in (dist / "packages").glob("*.tar.gz"):
        with tarfile.open(sdist) as opened:
            assert [each.name for each in opened if not each.isfile()] == [], sdist.name


def test_the_wheel_says_that_it_is_typed_and_where_the_project_lives(dist: Path) -> None:
    with ZipFile(dist / WHEEL) as opened:
        names = opened.namelist()
        about = HeaderParser().parsestr(opened.read(f"xqueue_rabbitmq-{VERSION}.dist-info/METADATA").decode())
    packages = {name.partition("/")[0] for name in names}
    assert packages == {"broker_setup", "gateway", "callback_relay", f"xqueue_rabbitmq-{VERSION}.dist-info"}
    typed = {f"{package}/py.typed" for package in ("broker_setup", "gateway", "callback_relay")}
    assert {*typed, "gateway/http/openapi.yaml"} <= set(names)
    assert "Typing :: Typed" in about.get_all("Classifier", [])
    assert f"Source, {HOME}" in about.get_all("Project-URL", [])
    assert f"]({HOME}/blob/v{VERSION}/docs/architecture.md)" in str(about.get_payload())


def test_every_wheel_has_the_licence_and_no_dead_link(dist: Path) -> None:
    for wheel in (dist / "packages").glob("*.whl"):
        with ZipFile(wheel) as opened:
            assert [name for name in opened.namelist() if name.endswith("/LICENSE")], wheel.name
            [about] = [opened.read(name).decode() for name in opened.namelist() if name.endswith(".dist-info/METADATA")]
        targets = re.findall(r"\]\(([^)]*)\)", about)
        assert [target for target in targets if not target.startswith(("https://", "#"))] == [], wheel.name


@pytest.fixture(scope="module")
def environment(dist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it, outside the tree: of ours it has the dependencies, and not the tree."""
    place = tmp_path_factory.mktemp("environment") / "env"
    uv = str(Path(sys.executable).with_name("uv"))
    python = str(place / "bin/python")
    subprocess.run([uv, "venv", "--quiet", "--offline", "--python", sys.executable, str(place)], check=True)
    install = [uv, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", python]
    subprocess.run([*install, str(dist / WHEEL)], check=True)
    # Its own .pth, which names the tree, is not looked at there.
    [site] = place.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return place


def run(environment: Path, *command: str) -> str:
    """Run a command of the environment, with nothing of ours around it; return what it prints."""
    program = [str(environment / "bin" / command[0]), *command[1:]]
    return subprocess.run(program, cwd=environment, env={}, capture_output=True, text=True, check=True).stdout


def test_what_runs_there_is_the_wheel_alone(environment: Path) -> None:
    program = "import broker_setup, callback_relay, gateway; print(gateway.__file__, broker_setup.__file__)"
    places = run(environment, "python", "-c", program).split()
    assert [place.startswith(str(environment)) for place in places] == [True, True]


@pytest.mark.parametrize("command", SCRIPTS)
def test_every_command_runs_outside_the_tree(environment: Path, command: str) -> None:
    assert run(environment, command, "--version") == f"{command} {VERSION}\n"
    assert command in run(environment, command, "--help")
