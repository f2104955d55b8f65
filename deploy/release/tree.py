"""The last commit's files in a folder of their own, with modes and times that depend on the commit alone."""

import io
import os
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from deploy.release.errors import ReleaseError


@dataclass(frozen=True)
class Commit:
    """The commit that is released: its hash, its time (seconds since the epoch), and whether files differ from it."""

    name: str
    time: int
    is_dirty: bool


def last_commit(checkout: Path) -> Commit:
    """Return what is checked out there."""
    name, time = _git(checkout, "log", "-1", "--format=%H %ct").decode().split()
    return Commit(name, int(time), bool(_git(checkout, "status", "--porcelain", "--untracked-files=no").strip()))


def lay_out(checkout: Path, commit: Commit, folder: Path) -> None:
    """Write the commit's files into the folder, which is made."""
    archive = _git(checkout, "archive", "--format=tar", commit.name)
    with tarfile.open(fileobj=io.BytesIO(archive)) as opened:
        opened.extractall(folder, filter="data")
    settle(folder, commit.time)


def settle(folder: Path, time: int) -> None:
    """Give all files and folders one time, and the modes that git knows: git's archive has a umask in it."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            is_open = path.is_dir() or path.stat().st_mode & 0o100
            path.chmod(0o755 if is_open else 0o644)
            os.utime(path, (time, time))


def _git(checkout: Path, *arguments: str) -> bytes:
    try:
        ran = subprocess.run(["git", "-C", str(checkout), *arguments], capture_output=True, check=False)
    except OSError as error:
        raise ReleaseError(f"git can't be run: {error.strerror}") from None
    if ran.returncode:
        raise ReleaseError(f"{checkout} is no checkout to release from: {ran.stderr.decode(errors='replace').strip()}")
    return ran.stdout
