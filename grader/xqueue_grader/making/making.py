"""Writes the files of a new grader, of the templates beside this module."""

import json
from importlib.resources import files
from pathlib import Path

from xqueue_grader.common.errors import XQueueError

_TEMPLATES = {
    "grader.py": "grader.py.template",
    "tests/test_grader.py": "test_grader.py.template",
    "tests/right.json": "right.json.template",
    "tests/wrong.json": "wrong.json.template",
    "requirements.txt": "requirements.txt.template",
    "requirements-dev.txt": "requirements-dev.txt.template",
    "Dockerfile": "Dockerfile.template",
    ".dockerignore": "dockerignore.template",
    "README.md": "README.md.template",
}


class FolderExistsError(XQueueError):
    """There is something at that path already, which is left as it is."""


def make_grader(folder: Path, queue: str, version: str) -> list[Path]:
    """Make the folder; return what it holds. `version` is that of this package, or "". Raise FolderExistsError."""
    if folder.exists():
        raise FolderExistsError(f"{folder} is there already: name another one")
    pinned = f"xqueue-grader=={version}" if version else "xqueue-grader"
    values = {"NAME_OF_GRADER": folder.name, '"NAME_OF_QUEUE"': json.dumps(queue), "REQUIREMENT": pinned}
    made = []
    for name, template in _TEMPLATES.items():
        text = (files("xqueue_grader.making") / "templates" / template).read_text(encoding="utf-8")
        for placeholder, value in values.items():
            text = text.replace(placeholder, value)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        made.append(path)
    return made
