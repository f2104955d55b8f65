"""xqueue-grader's own pyproject.toml agrees with its links, and with the server's."""

import tomllib
from typing import Any

from tests.support.project import ROOT, pyproject, text

FOLDER = ROOT / "grader"
COMMON = FOLDER / "xqueue_grader/common"
LINKS = {path: path.resolve() for path in COMMON.rglob("*") if path.is_symlink()}


def ours() -> dict[str, Any]:
    return tomllib.loads(text("grader/pyproject.toml"))


def test_what_is_common_are_links_to_the_same_place_in_broker_setup() -> None:
    assert LINKS
    assert {path: ROOT / "broker_setup" / path.relative_to(COMMON) for path in LINKS} == LINKS


def test_an_sdist_gets_the_files_that_links_lead_to() -> None:
    included = ours()["tool"]["hatch"]["build"]["targets"]["sdist"]["force-include"]
    assert {FOLDER / name: (FOLDER / source).resolve() for source, name in included.items()} == {
        path: target for path, target in LINKS.items() if target.is_file()
    }


def test_it_wants_the_versions_that_the_server_is_tried_with() -> None:
    project, server = ours()["project"], pyproject()["project"]
    wanted = {
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    }
    assert wanted <= {*server["dependencies"], *server["optional-dependencies"]["dev"]}
    assert project["requires-python"] == server["requires-python"]
    assert ours()["build-system"] == pyproject()["build-system"]
