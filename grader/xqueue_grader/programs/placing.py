"""A folder for one run: filled before, and gone after, whatever a program made of it."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from xqueue_grader.programs.program import IsolationError

# Deeper ones than Python's own way takes: a program may nest folders until its time is over.
REMOVING = (["chmod", "-R", "u+rwX", "--"], ["rm", "-rf", "--"])


@contextlib.contextmanager
def placed(files: Mapping[str, bytes]) -> Iterator[Path]:
    """Have a folder with these files until the block ends."""
    folder = Path(tempfile.mkdtemp(prefix="grading-"))
    try:
        for name, content in files.items():
            (folder / name).write_bytes(content)
            # A container's user is another one, whom the engine shows nothing but these.
            (folder / name).chmod(0o644)
        yield folder
    finally:
        remove(folder)


def give(folder: Path, user: int) -> None:
    """Make a folder and what is in it a user's."""
    for path in (*folder.iterdir(), folder):
        os.chown(path, user, user)


def remove(folder: Path) -> None:
    """Remove it when no process is left that could change it meanwhile; no link in it is followed."""
    with contextlib.suppress(OSError, RecursionError):
        shutil.rmtree(folder)
        return
    for command in REMOVING:
        done = subprocess.run([*command, folder], capture_output=True, check=False)
    if folder.exists():
        said = done.stderr.decode(errors="replace")[-200:].strip()
        raise IsolationError(f"what a program wrote can not be removed from {folder}: {said}")
