"""Makes the wheels, the sdist, the bill of materials and the checksums of the last commit; the same bytes anywhere."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.release.addresses import readme_for_index, urls_table
from deploy.release.bill_of_materials import write_bill
from deploy.release.checksums import write_checksums
from deploy.release.distributions import MAIN, Distribution, present, project_of
from deploy.release.errors import ReleaseError
from deploy.release.tree import Commit, last_commit, lay_out, settle

LICENSE = "LICENSE"
PACKAGES = "packages"  # what goes to a package index stands alone in a folder


def make_dist(checkout: Path, out: Path, repository: str | None = None, *, validate: bool = True) -> Commit:
    """Make all of it from the last commit of the checkout, in the folder `out`, which is emptied before.

    Without `validate` the bill of materials is not held against CycloneDX's schema, which takes some seconds.
    """
    commit = last_commit(checkout)
    shutil.rmtree(out, ignore_errors=True)
    (out / PACKAGES).mkdir(parents=True)
    with tempfile.TemporaryDirectory(prefix="release-") as place:
        tree = Path(place, "tree")
        lay_out(checkout, commit, tree)
        project = project_of(tree)
        write_bill(tree, out / f"{project['name']}-{project['version']}.cdx.json", validate=validate)
        distributions = present(tree)
        for each in distributions:
            _complete(tree, each, repository)
        settle(tree, commit.time)
        for each in distributions:
            _build(tree, each, out / PACKAGES, commit)
    write_checksums(out)
    return commit


def _complete(tree: Path, distribution: Distribution, repository: str | None) -> None:
    """Put in what a distribution needs apart from the tree: the licence, and links that lead somewhere."""
    folder, project = tree / distribution.folder, project_of(tree, distribution)
    licence = folder / LICENSE
    if licence.is_symlink():
        licence.unlink()  # into an sdist it would go as a link, which leads nowhere
    if not licence.exists():
        shutil.copy(tree / LICENSE, folder)
    if readme := project.get("readme"):
        file = folder / readme
        # Tags are those of the main distribution.
        version = project_of(tree, MAIN)["version"]
        text = file.read_text(encoding="utf-8")
        file.write_text(readme_for_index(text, repository, version, distribution.folder), encoding="utf-8")
    if repository and "urls" not in project:
        with (folder / "pyproject.toml").open("a", encoding="utf-8") as opened:
            opened.write(urls_table(repository, project["version"]))


def _build(tree: Path, distribution: Distribution, out: Path, commit: Commit) -> None:
    """Build with what `make lock` has pinned, and nothing that is fetched now."""
    # Told nothing, uv builds the wheel of the sdist, which shows that nothing is missing there.
    kinds = [] if distribution.has_sdist else ["--wheel"]
    command = [
        *(str(Path(sys.executable).with_name("uv")), "build", "--quiet", "--offline", "--no-build-isolation"),
        *("--python", sys.executable, "--out-dir", str(out), *kinds, str(tree / distribution.folder)),
    ]
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(commit.time)}
    ran = subprocess.run(command, env=environment, umask=0o022, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise ReleaseError(f"{distribution.folder} can't be built:\n{ran.stderr.strip()}")
    (out / ".gitignore").unlink(missing_ok=True)  # uv's own
