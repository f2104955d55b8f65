"""The isolations that work on this machine, and what a program that attacks is run with in them."""

import atexit
import functools
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from deploy.local.programs import program
from tests.support.project import ROOT
from xqueue_grader.programs import Isolation, IsolationError, Limits, Program, Ran, isolation, run

CACHE = Path(os.environ.get("XQUEUE_CACHE_DIR") or ROOT / ".local/cache").resolve()
# By the clock much, for a busy machine; of computing little.
QUICK = Limits(seconds=60, cpu_seconds=1, processes=4)


@functools.cache
def bwrap() -> str:
    """Bubblewrap's program where other users than root may run it, too, with the libraries that it needs."""
    found = program("bwrap", CACHE, print)
    folder = Path(tempfile.mkdtemp(prefix="bwrap-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    shutil.copy(found.path, folder / "real")
    variables = []
    for key, value in found.env.items():
        places = []
        for number, place in enumerate(value.split(os.pathsep)):
            shutil.copytree(place, folder / f"lib{number}", symlinks=False, ignore=not_a_library)
            places.append(str(folder / f"lib{number}"))
        variables.append(f"{key}={os.pathsep.join(places)}")
    wrapper = folder / "bwrap"
    wrapper.write_text(f'#!/bin/sh\n{" ".join(variables)} exec {folder}/real "$@"\n')
    wrapper.chmod(0o755)
    return str(wrapper)


def not_a_library(folder: str, names: list[str]) -> list[str]:
    """Leave out of a folder of libraries what bubblewrap has no use for."""
    return [name for name in names if not name.startswith(("libcap.so", "libselinux.so", "libpcre2-8.so"))]


def user_namespaces() -> bool:
    """Tell whether the system lets who is not root make a user namespace, without which no bubblewrap starts."""
    return subprocess.run(["unshare", "-Ur", "true"], capture_output=True, check=False, **ordinary()).returncode == 0


def ordinary() -> dict[str, Any]:
    """What makes a process one of an ordinary user, of whom only root can make it."""
    return {"user": 59_300, "group": 59_300, "extra_groups": []} if os.geteuid() == 0 else {}


@functools.cache
def isolation_of(name: str) -> Isolation:
    """Bubblewrap's or plain limits; where the system forbids the first, a skip that says so."""
    try:
        return isolation(name, bwrap=bwrap() if name == "bubblewrap" else None)
    except IsolationError as error:
        if name == "bubblewrap" and not user_namespaces():
            pytest.skip(f"this machine has no user namespaces for bubblewrap: {error}")
        raise


def ran(isolation: Isolation, text: str, limits: Limits = QUICK, stdin: bytes = b"") -> Ran:
    """Run a Python program."""
    return run(Program(("python3", "program.py"), {"program.py": text.encode()}), limits, isolation, stdin)
