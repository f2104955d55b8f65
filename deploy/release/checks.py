"""Whether a tree is ready to be released: version, tag and changelog say the same, and the changelog has a date."""

import re
from pathlib import Path

from deploy.release.distributions import present, project_of

_HEADING = re.compile(r"^## \[(?P<name>[^\]]+)\](?: - (?P<date>.+))?$", re.MULTILINE)


def releases_of(changelog: str) -> list[tuple[str, str | None]]:
    """Return the changelog's headings, newest first: a version, or Unreleased, and its date if one stands there."""
    return [(found["name"], found["date"]) for found in _HEADING.finditer(changelog)]


def newest_notes(changelog: str) -> str:
    """Return what the changelog says of its newest release, without the heading."""
    _, _, released = changelog.partition("## [Unreleased]")[2].partition("\n## [")
    return released.partition("\n")[2].partition("\n## [")[0].strip() + "\n"


def unready(tree: Path, tag: str) -> list[str]:
    """Say what is missing for a release under this tag, a sentence each; nothing is missing where there is none."""
    version = project_of(tree)["version"]
    changelog = (tree / "CHANGELOG.md").read_text(encoding="utf-8")
    wrong = [] if tag == f"v{version}" else [f"the tag is {tag}, and pyproject.toml's version {version}"]
    for each in present(tree):
        project = project_of(tree, each)
        if project["version"] != version:
            wrong.append(f"{project['name']} is {project['version']}, and the others {version}")
    unreleased, _, released = changelog.partition("## [Unreleased]")[2].partition("\n## ")
    if unreleased.strip():
        wrong.append("CHANGELOG.md has lines under Unreleased: put them under the new version")
    name, date = (releases_of(f"## {released}") or [("nothing", None)])[0]
    if name != version:
        wrong.append(f"CHANGELOG.md's newest release is {name}, and pyproject.toml's version {version}")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", date or ""):
        wrong.append(f"CHANGELOG.md gives {name} no date")
    return wrong
