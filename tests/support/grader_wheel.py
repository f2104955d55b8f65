"""The wheel of xqueue-grader in an environment of its own, which has what that requires and nothing else."""

import shutil
import subprocess
import sys
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.support.project import ROOT

_UV = str(Path(sys.executable).with_name("uv"))


def make_environment(place: Path) -> None:
    """Build the wheel of this tree, and make an environment of it and of what it requires, as pip would.

    What it requires is copied from this environment: nothing is fetched.
    """
    packages, environment = place / "packages", place / "environment"
    build = [_UV, "build", "--quiet", "--offline", "--no-build-isolation", "--python", sys.executable]
    subprocess.run([*build, "--wheel", "--out-dir", str(packages), str(ROOT / "grader")], check=True)
    [wheel] = packages.glob("*.whl")
    subprocess.run([_UV, "venv", "--quiet", "--offline", "--python", sys.executable, str(environment)], check=True)
    install = [_UV, "pip", "install", "--quiet", "--offline", "--no-deps", "--python", str(python_in(place))]
    subprocess.run([*install, str(wheel)], check=True)
    site = site_of(place)
    [own] = Distribution.discover(name="xqueue-grader", path=[str(site)])
    for each in required_by(own).values():
        _copy(each, site)


def python_in(place: Path) -> Path:
    """Return the environment's Python."""
    return place / "environment/bin/python"


def site_of(place: Path) -> Path:
    """Return the folder where its packages stand."""
    [site] = place.glob("environment/lib/python*/site-packages")
    return site


def required_by(asking: Distribution) -> dict[str, Distribution]:
    """Return what comes along when a distribution is installed without extras, by name."""
    found: dict[str, Distribution] = {}
    todo = [asking]
    while todo:
        for line in todo.pop().requires or []:
            wanted = Requirement(line)
            if wanted.name in found or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
                continue
            found[wanted.name] = distribution(wanted.name)
            todo.append(found[wanted.name])
    return found


def _copy(each: Distribution, site: Path) -> None:
    for file in each.files or []:
        if ".." not in file.parts and "__pycache__" not in file.parts:  # its commands stand elsewhere
            target = site / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(str(each.locate_file(file)), target)
