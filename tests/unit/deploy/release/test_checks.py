"""Version, tag and changelog say the same, in this tree and before a release."""

import re
from pathlib import Path

import pytest

from broker_setup.process.command_line import our_version
from deploy.release.checks import newest_notes, releases_of, unready
from deploy.release.distributions import present, project_of
from tests.support.project import ROOT, pyproject, text

CHANGELOG = (
    "# Changelog\n\n## [Unreleased]\n\n## [1.2.0] - 2026-12-01\n\n### Added\n- This.\n\n## [1.1.0] - 2026-01-01\n"
)


def test_the_version_stands_in_pyproject_and_everybody_says_the_same() -> None:
    version = pyproject()["project"]["version"]
    assert [name for name, _ in releases_of(text("CHANGELOG.md"))][:2] == ["Unreleased", version]
    assert our_version() == version
    assert {project_of(ROOT, each)["version"] for each in present(ROOT)} == {version}


def test_every_image_of_ours_that_is_named_has_that_version() -> None:
    named = re.compile(r"xqueue-rabbitmq:(?:\$\{IMAGE_TAG:-)?(\d+\.\d[\w.]*)|newTag: (\S+)")
    files = [*ROOT.glob("deploy/**/*.y*ml"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("deploy/**/*.md")]
    versions = {path: {"".join(found) for found in named.findall(path.read_text(encoding="utf-8"))} for path in files}
    assert {path for path, found in versions.items() if found - {pyproject()["project"]["version"]}} == set()
    assert ROOT / "deploy/compose/compose.yaml" in {path for path, found in versions.items() if found}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A tree that is ready to be released as 1.2.0."""
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "deploy/tutor").mkdir(parents=True)
    for folder, name in ((".", "ours"), ("deploy/tutor", "plugin")):
        (tmp_path / folder / "pyproject.toml").write_text(f'[project]\nname = "{name}"\nversion = "1.2.0"\n')
    return tmp_path


def test_a_tree_that_is_ready_is_not_complained_of(tree: Path) -> None:
    assert unready(tree, "v1.2.0") == []


def test_the_notes_are_what_the_changelog_says_of_the_newest_release() -> None:
    assert newest_notes(CHANGELOG) == "### Added\n- This.\n"


@pytest.mark.parametrize(
    ("file", "old", "new", "complaint"),
    [
        ("pyproject.toml", "1.2.0", "1.3.0", "the tag is v1.2.0, and pyproject.toml's version 1.3.0"),
        ("deploy/tutor/pyproject.toml", "1.2.0", "1.1.0", "plugin is 1.1.0, and the others 1.2.0"),
        ("CHANGELOG.md", "[Unreleased]\n", "[Unreleased]\n- More.\n", "CHANGELOG.md has lines under Unreleased"),
        ("CHANGELOG.md", "[1.2.0]", "[1.2.1]", "CHANGELOG.md's newest release is 1.2.1"),
        ("CHANGELOG.md", "2026-12-01", "not released yet", "CHANGELOG.md gives 1.2.0 no date"),
    ],
)
def test_what_does_not_agree_is_said(tree: Path, file: str, old: str, new: str, complaint: str) -> None:
    (tree / file).write_text((tree / file).read_text().replace(old, new, 1))
    assert [line for line in unready(tree, "v1.2.0") if line.startswith(complaint)]
