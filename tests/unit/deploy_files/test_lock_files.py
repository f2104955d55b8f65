"""The lock files pin and hash everything, from whichever index is configured, and cover what pyproject asks for."""

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support.project import pyproject, text

NAMES = ("run.txt", "dev.txt", "build.txt", "audit.txt", "tutor.txt", "tutor-xqueue.txt", "edx-submissions.txt")


def entries(name: str) -> list[str]:
    """Each requirement with its options, on one line."""
    joined = text(f"deploy/requirements/{name}").replace("\\\n", " ")
    return [line for line in joined.split("\n") if line.strip() and not line.lstrip().startswith("#")]


def pins(name: str) -> dict[str, str]:
    found = [re.match(r"([A-Za-z0-9._-]+)==(\S+)", entry) for entry in entries(name)]
    assert all(found)
    return {canonicalize_name(match[1]): match[2] for match in found if match}


@pytest.mark.parametrize("name", NAMES)
def test_every_line_is_one_pinned_version_with_hashes_and_nothing_else(name: str) -> None:
    line = re.compile(r"[A-Za-z0-9._-]+==[0-9][\w.+!]*( ; [^#@]+?)?(\s+--hash=sha256:[0-9a-f]{64})+\s*")
    assert entries(name)
    assert [entry for entry in entries(name) if not line.fullmatch(entry)] == []


@pytest.mark.parametrize("name", NAMES)
def test_no_lock_file_names_a_place_to_download_from(name: str) -> None:
    content = text(f"deploy/requirements/{name}")
    assert not re.search(r"://|--index-url|--extra-index-url|--find-links|--trusted-host", content)


def covered(requirements: list[str], name: str) -> list[str]:
    locked = pins(name)
    wanted = [Requirement(requirement) for requirement in requirements]
    return [str(each) for each in wanted if not each.specifier.contains(locked.get(canonicalize_name(each.name), "0"))]


def test_what_the_services_depend_on_is_locked_in_a_version_that_pyproject_allows() -> None:
    assert covered(pyproject()["project"]["dependencies"], "run.txt") == []
    assert covered(pyproject()["project"]["dependencies"], "dev.txt") == []


def test_what_developers_use_is_locked_in_a_version_that_pyproject_allows() -> None:
    assert covered(pyproject()["project"]["optional-dependencies"]["dev"], "dev.txt") == []


def test_what_builds_the_package_is_locked_in_a_version_that_pyproject_allows() -> None:
    assert covered(pyproject()["build-system"]["requires"], "build.txt") == []


def test_what_looks_for_known_holes_is_locked_in_a_version_that_pyproject_allows() -> None:
    assert covered(pyproject()["project"]["optional-dependencies"]["release"], "audit.txt") == []


def test_the_tutor_that_the_plugin_is_tried_with_is_one_that_it_allows() -> None:
    plugin = tomllib.loads(text("deploy/tutor/pyproject.toml"))["project"]
    assert covered(plugin["dependencies"], "tutor.txt") == []
    assert plugin["version"] == pyproject()["project"]["version"]


def test_the_job_that_looks_for_known_holes_fails_where_it_could_not_look() -> None:
    job = text(".ci/audit")
    assert "--strict" in job
    assert "--require-hashes --requirement deploy/requirements/audit.txt" in job


def test_the_tests_run_on_the_very_versions_that_the_services_run_on() -> None:
    assert pins("run.txt").items() <= pins("dev.txt").items()
