"""Which distributions a release has: a folder with a pyproject.toml each, which name themselves and their version."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Distribution:
    """One distribution: its folder in the tree, and whether there is an sdist of it beside the wheel."""

    folder: str
    has_sdist: bool = True


MAIN = Distribution(".")
# Those that are there are made.
ALL = (MAIN, Distribution("grader"), Distribution("deploy/tutor", has_sdist=False))


def present(tree: Path) -> list[Distribution]:
    """Return those that this tree has."""
    return [each for each in ALL if (tree / each.folder / "pyproject.toml").is_file()]


def project_of(tree: Path, distribution: Distribution = MAIN) -> dict[str, Any]:
    """Return what a distribution's pyproject.toml says of its project."""
    read = tomllib.loads((tree / distribution.folder / "pyproject.toml").read_text(encoding="utf-8"))
    return dict(read["project"])
