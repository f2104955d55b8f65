"""docs/decisions.md gives a reason for each dependency, and for nothing that is none."""

from packaging.requirements import Requirement

from tests.support.project import pyproject, quoted, table_rows, text

ROWS = {quoted(row[0])[0]: row for row in table_rows(text("docs/decisions.md"))}


def names(requirements: list[str]) -> set[str]:
    return {Requirement(requirement).name for requirement in requirements}


def test_every_dependency_has_a_row_and_every_row_is_a_dependency() -> None:
    project = pyproject()
    wanted = names(project["project"]["dependencies"]) | names(project["build-system"]["requires"])
    for extra in project["project"]["optional-dependencies"].values():
        wanted |= names(extra)
    assert set(ROWS) == wanted


def test_every_row_says_why_and_what_else_there_was() -> None:
    for name, (_, why, instead) in ROWS.items():
        assert why.endswith("."), name
        assert instead.endswith("."), name
