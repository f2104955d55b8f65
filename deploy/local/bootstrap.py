"""Makes the virtual environment in the checkout from a pinned, hashed lock file; does nothing when it is up to date.

`python3 -m deploy.local.bootstrap run|dev`. Standard library only, on a Python that may have neither pip nor venv's
ensurepip, as on a bare Debian.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - before anything that an older Python can't read
    sys.exit(
        f"XQueue needs Python 3.11 or newer and this is {sys.version.split()[0]}: install one and name it, as in "
        "`make up PYTHON=python3.12`."
    )

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import time
import tomllib
from pathlib import Path

from deploy.local import lock, packages
from deploy.local.errors import LocalError
from deploy.local.folders import refuse_odd
from deploy.local.quick_install import quick_install
from deploy.local.running import run_saying

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin/python"
STAMP = VENV / "xqueue.json"
# Where packages of ours stand.
PATHS = (str(ROOT), str(ROOT / "grader"))
# dev.txt holds all of run.txt, so an environment for development will do for running.
GOOD_FOR = {"run": ("run", "dev"), "dev": ("dev",)}


def main() -> None:
    """Bring the environment up to date."""
    parser = argparse.ArgumentParser(prog="bootstrap", description=__doc__)
    parser.add_argument("kind", choices=sorted(GOOD_FOR), help="what to install: for `make up`, or for `make test`")
    kind = parser.parse_args().kind
    data = Path(os.environ.get("XQUEUE_DATA_DIR") or ROOT / ".local")
    cache = Path(os.environ.get("XQUEUE_CACHE_DIR") or data / "cache").resolve()
    try:
        if kind == "run" and not os.environ.get("XQUEUE_AMQP_URL"):
            # Now, and not after a minute of installing.
            refuse_odd(data.resolve(), cache)
        with lock.held(ROOT / ".local/venv.lock", wait=True):
            if not _up_to_date(kind):
                _install(kind, cache)
    except (LocalError, OSError) as error:
        sys.exit(f"setup: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def _lock_file(kind: str) -> Path:
    return ROOT / "deploy/requirements" / f"{kind}.txt"


def _fingerprint(kind: str) -> str:
    """Change whenever the environment must be made anew: other pins, Python or commands, or a moved checkout."""
    parts = (_lock_file(kind).read_bytes(), repr((_commands(), PATHS)).encode(), sys.version.encode(), bytes(VENV))
    return hashlib.sha256(b"\0".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def _up_to_date(kind: str) -> bool:
    try:
        made = json.loads(STAMP.read_text())
    except (OSError, ValueError):
        return False
    return PYTHON.exists() and any(made == {"kind": k, "fingerprint": _fingerprint(k)} for k in GOOD_FOR[kind])


def _install(kind: str, cache: Path) -> None:
    began = time.monotonic()
    STAMP.unlink(missing_ok=True)
    if not _same_python():
        shutil.rmtree(VENV, ignore_errors=True)
        _say(f"making a virtual environment in {VENV.relative_to(ROOT)}")
        _run([sys.executable, "-m", "venv", "--without-pip", str(VENV)], "making a virtual environment")
    pip = _pip(cache)
    _say(f"installing the pinned packages of {_lock_file(kind).relative_to(ROOT)}")
    options = ["--quiet", "--disable-pip-version-check", "--no-input", "--require-hashes"]
    if not quick_install(PYTHON, pip, options, _lock_file(kind), _say):
        _run([str(PYTHON), *pip, "install", *options, "--requirement", str(_lock_file(kind))], "pip")
    _add_project()
    STAMP.write_text(json.dumps({"kind": kind, "fingerprint": _fingerprint(kind)}))
    _say(f"done in {time.monotonic() - began:.0f} s")


def _same_python() -> bool:
    """Tell whether the environment there is still works and was made from this very Python version."""
    if not PYTHON.exists():
        return False
    ask = [str(PYTHON), "-c", "import sys; print(sys.version)"]
    asked = subprocess.run(ask, capture_output=True, text=True, check=False)
    return asked.stdout.strip() == sys.version


def _pip(cache: Path) -> list[str]:
    """Return the arguments that make the environment's Python run pip."""
    if _works([str(PYTHON), "-m", "pip", "--version"]):
        return ["-m", "pip"]
    if importlib.util.find_spec("ensurepip") and _works([str(PYTHON), "-m", "ensurepip", "--default-pip"]):
        return ["-m", "pip"]
    advice = "This Python has no pip: install python3-venv (Debian, Ubuntu) or your system's package with ensurepip."
    if not packages.available():
        raise LocalError(advice)
    try:
        folder = packages.unpacked("python3-pip-whl", cache, lambda _: False, _say)
    except packages.PackageError as error:
        raise LocalError(f"{advice} ({error})") from error
    wheels = sorted(folder.glob("usr/share/python-wheels/pip-*.whl"))
    if not wheels:
        raise LocalError(advice)
    return [str(wheels[-1] / "pip")]  # a wheel is a zip file, which Python runs as it is


def _add_project() -> None:
    """Make the checkout importable, and its commands runnable, without building it."""
    site = PYTHON.parent.parent / f"lib/python3.{sys.version_info.minor}/site-packages"
    (site / "xqueue.pth").write_text("".join(f"{path}\n" for path in PATHS))
    for command, module in _commands().items():
        file = VENV / "bin" / command
        file.write_text(f'#!/bin/sh\nexec "$(dirname "$0")/python" -m {module} "$@"\n')
        file.chmod(0o755)


def _commands() -> dict[str, str]:
    """Return the console commands of our packages' pyproject.toml, and the modules behind them."""
    projects = [tomllib.loads(Path(path, "pyproject.toml").read_text())["project"] for path in PATHS]
    scripts = [script for project in projects for script in project["scripts"].items()]
    return {command: target.partition(":")[0].removesuffix(".__main__") for command, target in scripts}


def _works(command: list[str]) -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run(command: list[str], what: str) -> None:
    done = run_saying(command, what, _say)
    if done.returncode:
        raise LocalError(f"{what} failed:\n{done.output.rstrip()}")


def _say(line: str) -> None:
    print(f"setup: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
