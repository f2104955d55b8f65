"""Our image as `make image` builds it with buildah, on a stand-in of Python's, laid out as a folder that can be run in.

Needs root and buildah, no engine and no registry. Standard library only: CI has it made beside all else, from before
anything is installed, with `python3 -m tests.support.built_image`; whoever is second waits for who is first.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deploy.image.build import NAME, ROOT, our_version
from deploy.local import lock
from tests.support.python_base import python_base

PLACE = ROOT / ".local/image"
PYTHON = "localhost/python-base"
INSTALL = "apt-get update -qq && apt-get install -y -qq --no-install-recommends buildah"
MADE_OF = (
    "pyproject.toml",
    "README.md",
    "LICENSE",
    ".dockerignore",
    "broker_setup",
    "gateway",
    "callback_relay",
    "deploy",
)
# What a build needs of this machine to reach the index of packages.
OF_THIS_MACHINE = ("/etc/resolv.conf", "/etc/ssl/certs/ca-certificates.crt")
STORAGE = """\
[storage]
driver = "vfs"
graphroot = "{place}/store"
runroot = "{place}/run"
"""


class NoImageError(Exception):
    """The image could not be built; the text ends with what the builder said last."""


@dataclass(frozen=True)
class BuiltImage:
    """Where its files are, and what it says of how it is run, as the keys of its Docker configuration."""

    root: Path
    config: dict[str, Any]


def can_be_built() -> bool:
    """Tell whether it can be here; without a builder, whoever is root can have one."""
    return os.geteuid() == 0


def built_image() -> BuiltImage:
    """Return the image of the code as it is, built if it was not yet."""
    PLACE.mkdir(parents=True, exist_ok=True)
    with lock.held(PLACE / "lock", wait=True):
        if shutil.which("buildah") is None:
            raise NoImageError(f"there is no buildah: {INSTALL}")
        (PLACE / "storage.conf").write_text(STORAGE.format(place=PLACE))
        built, made_of = PLACE / "built.json", _fingerprint()
        if not built.exists() or json.loads(built.read_text())["made_of"] != made_of:
            built.unlink(missing_ok=True)
            built.write_text(json.dumps({"made_of": made_of, **_built()}))
        said = json.loads(built.read_text())
        return BuiltImage(Path(said["root"]), said["config"])


def _built() -> dict[str, Any]:
    """Build it from nothing but the base: layers of their own take longer than they spare, with files copied whole."""
    tag = f"localhost/{NAME}:{our_version()}"
    _buildah("rm", "--all")
    if _buildah("images", "--quiet", "--filter", f"reference={PYTHON}") == "":
        container = _buildah("from", "scratch")
        shutil.copytree(
            python_base(ROOT / ".local/cache"), _buildah("mount", container), symlinks=True, dirs_exist_ok=True
        )
        _buildah("config", "--env", "PATH=/usr/local/bin:/usr/bin:/usr/sbin", container)
        _buildah("commit", "--quiet", "--rm", container, PYTHON)
    arguments = ["--builder=buildah", f"--python-image={PYTHON}", "--pull-never"]
    arguments += [f"--volume={file}:{file}:ro" for file in OF_THIS_MACHINE if Path(file).exists()]
    if index := os.environ.get("PIP_INDEX_URL"):
        arguments.append(f"--build-arg=PIP_INDEX_URL={index}")
    _run([sys.executable, "-m", "deploy.image.build", *arguments])
    _buildah("rmi", "--prune", "--force")
    root = _buildah("mount", _buildah("from", "--pull-never", tag))
    [inspected] = [json.loads(_buildah("inspect", "--type", "image", tag))]
    return {"root": root, "config": inspected["Docker"]["config"]}


def _fingerprint() -> str:
    found = hashlib.sha256()
    for file in _files():
        found.update(b"%s\0%s\0" % (str(file.relative_to(ROOT)).encode(), file.read_bytes()))
    return found.hexdigest()


def _files() -> Iterator[Path]:
    for name in MADE_OF:
        below = sorted((ROOT / name).rglob("*")) if (ROOT / name).is_dir() else [ROOT / name]
        yield from (file for file in below if file.is_file() and "__pycache__" not in file.parts)


def _buildah(*arguments: str) -> str:
    return _run(["buildah", *arguments]).strip()


def _run(command: Sequence[str]) -> str:
    environment = os.environ | {"CONTAINERS_STORAGE_CONF": str(PLACE / "storage.conf")}
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode:
        last = "\n".join((ran.stdout + ran.stderr).strip().splitlines()[-10:])
        raise NoImageError(f"{' '.join(command[:3])} ... failed:\n{last}")
    return ran.stdout


if __name__ == "__main__":
    if "--install" in sys.argv[1:]:
        PLACE.mkdir(parents=True, exist_ok=True)
        with lock.held(PLACE / "lock", wait=True):
            subprocess.run(["sh", "-c", INSTALL], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    built_image()
