"""Where a test run keeps its files: in memory, where there is room.

Brokers make and delete some hundred files for each test, of which the disk takes two fifths of their time. What is
killed in tests is processes, and whatever these have written outlives them in memory as on a disk.
"""

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

_MEMORY = Path("/dev/shm")
# A whole run has some 300 MB; in a container there are often 64 MB.
_ROOM = 4_000_000_000


def _free(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def keep_files_in_memory(free: Callable[[Path], int] = _free, memory: Path = _MEMORY) -> None:
    """Make temporary files there from now on, in this process and those that it starts, unless TMPDIR says where."""
    if "TMPDIR" not in os.environ and memory.is_dir() and os.access(memory, os.W_OK) and free(memory) >= _ROOM:
        os.environ["TMPDIR"] = str(memory)
        tempfile.tempdir = None  # it may have been looked up
