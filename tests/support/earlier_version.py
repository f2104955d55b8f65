"""The programs of an earlier version, as they stand in this repository's history."""

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The last commit of 0.1.0.
VERSION_0_1_0 = "1038d88b0fd6e8d91c58c3a2457eef6d8cce381c"
PROGRAMS = ("broker_setup", "gateway", "callback_relay")


def programs_of(commit: str, folder: Path) -> Path:
    """Put the programs of `commit` into `folder` and return it; they run with the packages that are installed here.

    Skip where there is no repository at all, as in an unpacked archive; a clone without its history is a failure.
    """
    if not (ROOT / ".git").exists():
        pytest.skip("no git repository here, so no earlier version to run")
    archive = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", commit, *PROGRAMS], capture_output=True, check=False
    )
    if archive.returncode:
        pytest.fail(
            f"commit {commit} is not in this clone's history (git fetch --unshallow?): {archive.stderr.decode()}"
        )
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as unpacked:
        unpacked.extractall(folder, filter="data")
    return folder
