"""The command `new`."""

import argparse
import re
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from xqueue_grader.making.making import FolderExistsError, make_grader

NOT_MADE = 2
_NAME = re.compile("[A-Za-z][A-Za-z0-9_-]{0,60}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what `new` takes."""
    parser.add_argument("name", help="the folder, and what the grader is called")
    parser.add_argument("--queue", default="openedx", help="the queue that it grades (openedx)")


def make(arguments: argparse.Namespace) -> int:
    """Make it, and say what to do next; return the exit code."""
    folder = Path(arguments.name)
    if not _NAME.fullmatch(folder.name):
        print(
            "xqueue-grader new: the name must begin with a letter, and hold letters, digits, - and _", file=sys.stderr
        )
        return NOT_MADE
    try:
        made = make_grader(folder, arguments.queue, _version())
    except (FolderExistsError, OSError) as error:
        print(f"xqueue-grader new: {error}", file=sys.stderr)
        return NOT_MADE
    for path in made:
        print(path)
    print(f"\nNext: cd {folder}; pip install -r requirements-dev.txt; python -m pytest")
    print("      xqueue-grader try grader.py tests/right.json")
    return 0


def _version() -> str:
    try:
        return version("xqueue-grader")
    except PackageNotFoundError:
        return ""
