"""Installed Tutors, one with our plugin and one with tutor-xqueue: made once in a run, by the test that is first."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.project import ROOT

_UV = Path(sys.executable).with_name("uv")
_DRIVER = ROOT / "tests/support/tutor_driver.py"
_LOCKS = ROOT / "deploy/requirements"
# For people, on a terminal; the driver's is none.
_TALK = "You are running Tutor as root"


class NotInstalledError(Exception):
    """What the package index did not give."""


@dataclass(frozen=True)
class Said:
    """What one command printed, and its exit code."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Tutor:
    """One Tutor, and the root folder of a site of it."""

    environment: Path
    root: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def run(self, *commands: Sequence[str] | dict[str, Any]) -> list[Said]:
        """Run commands, one after the other in one process."""
        others = {name: value for name, value in os.environ.items() if not name.startswith(("TUTOR_", "XQUEUE_"))}
        places = {"TUTOR_ROOT": str(self.root), "TUTOR_PLUGINS_ROOT": str(self.root / "plugins")}
        ran = subprocess.run(
            [self.environment / "bin/python", "-P", _DRIVER],
            input=json.dumps([each if isinstance(each, dict) else {"args": each} for each in commands]),
            env=others | places | dict(self.variables),
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return [
            Said(each["code"], each["out"], "".join(line for line in each["err"].splitlines(True) if _TALK not in line))
            for each in json.loads(ran.stdout)
        ]


def installed(folder: Path, *, ours: bool) -> Path:
    """Install Tutor and one of the plugins, ours or tutor-xqueue, into a fresh virtual environment; or find it done."""
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as mutex:
        fcntl.flock(mutex, fcntl.LOCK_EX)
        # Tutor and what it needs are installed, and compiled, once for both; but for 130 MB that nothing here uses.
        (unused := folder / "unused.txt").write_text("kubernetes\nmypy\n")
        tutor = _environment(folder / "tutor", "-r", _LOCKS / "tutor.txt", "--excludes", unused)
        if not ours:
            return _environment(folder / "theirs", "--no-deps", "-r", _LOCKS / "tutor-xqueue.txt", upon=tutor)
        if not (source := folder / "source").exists():
            # Whatever builds it leaves its traces beside what it builds.
            shutil.copytree(ROOT / "deploy/tutor", source, ignore=shutil.ignore_patterns("__pycache__"))
        return _environment(
            folder / "ours", "--no-deps", "--build-constraints", _LOCKS / "build.txt", source, upon=tutor
        )


def packages_of(environment: Path) -> Path:
    [found] = environment.glob("lib/python*/site-packages")
    return found


def _environment(place: Path, *wanted: object, upon: Path | None = None) -> Path:
    if not (place / "done").exists():
        _uv("venv", "--clear", "--python", sys.executable, place)
        _uv("pip", "install", *wanted, "--python", place / "bin/python")
        if upon:
            (packages_of(place) / "tutor.pth").write_text(f"{packages_of(upon)}\n")
        (place / "done").touch()
    return place


def _uv(*arguments: object) -> None:
    ran = subprocess.run(
        [str(_UV), "--quiet", *map(str, arguments)], capture_output=True, text=True, timeout=280, check=False
    )
    if ran.returncode:
        raise NotInstalledError(ran.stderr)
