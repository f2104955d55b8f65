"""The forge's jobs: what is pinned is audited once a week, and a release may do at each step what that step needs."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.project import ROOT, pyproject, text

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
RELEASE = ROOT / ".github/workflows/release.yml"
ACTIONS = {
    "actions/attest-build-provenance",
    "actions/download-artifact",
    "actions/upload-artifact",
    "pypa/gh-action-pypi-publish",
}


def workflow(name: str) -> dict[Any, Any]:
    read = yaml.safe_load((ROOT / ".github/workflows" / name).read_text())
    assert isinstance(read, dict)
    return read


def test_the_audit_runs_once_a_week_and_on_demand() -> None:
    audit = workflow("audit.yml")
    when = audit[True]  # what YAML 1.1 makes of `on`
    [schedule] = when["schedule"]
    _, _, day_of_month, month, day_of_week = schedule["cron"].split()
    assert (day_of_month, month, day_of_week.isdigit()) == ("*", "*", True)
    assert "workflow_dispatch" in when


def test_the_audit_calls_the_job_that_is_there_to_be_called() -> None:
    [job] = workflow("audit.yml")["jobs"].values()
    assert job["steps"][-1]["run"] == ".ci/audit"
    assert os.access(ROOT / ".ci/audit", os.X_OK)


def jobs(path: Path) -> dict[str, dict[str, Any]]:
    return dict(workflow(path.name)["jobs"])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_nobody_elses_code_but_what_is_named_here_by_its_hash(path: Path) -> None:
    lines = [line.strip() for line in path.read_text().splitlines() if "uses:" in line]
    used = [re.fullmatch(r"- uses: (\S+)@([0-9a-f]{40})  # v\d+\.\d+\.\d+", line) for line in lines]
    assert all(used), lines
    assert {match[1] for match in used if match} == (ACTIONS if path.name == "release.yml" else set())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_as_a_whole_may_write_nothing(path: Path) -> None:
    assert workflow(path.name)["permissions"] in ({}, {"contents": "read"})


def test_each_job_of_a_release_may_do_what_it_needs_and_no_more() -> None:
    may = {name: job["permissions"] for name, job in jobs(RELEASE).items()}
    signing = {"id-token": "write", "attestations": "write"}
    assert may == {
        "test": {"contents": "read"},
        "build": {"contents": "read"},
        "rebuild": {"contents": "read"},
        "sign": signing,
        "image": {"contents": "read", "packages": "write", **signing},
        "packages": {"id-token": "write"},
        "announce": {"contents": "write"},
    }


def test_nothing_is_signed_or_published_that_was_not_tested_and_built_twice() -> None:
    needs = {name: job.get("needs", []) for name, job in jobs(RELEASE).items()}
    assert needs["sign"] == needs["image"] == ["test", "build", "rebuild"]
    assert (needs["packages"], needs["announce"]) == (["sign", "image"], "packages")
    assert jobs(RELEASE)["packages"]["environment"] == "pypi"


def test_jobs_that_sign_and_publish_packages_run_no_code_of_the_tree() -> None:
    for name in ("sign", "packages", "announce"):
        assert "Check out" not in [step.get("name") for step in jobs(RELEASE)[name]["steps"]]


def test_what_the_release_calls_is_there() -> None:
    steps = "\n".join(step.get("run", "") for job in jobs(RELEASE).values() for step in job["steps"])
    for command in re.findall(r"\.ci/\w+", steps):
        assert os.access(ROOT / command, os.X_OK)
    scripts = {script.removeprefix("xqueue-") for script in pyproject()["project"]["scripts"]}
    [looped] = re.findall(r"for command in ([\w ]+); do", steps)
    assert set(looped.split()) == scripts
    assert {"check", "notes"} == set(re.findall(r"-m deploy\.release (\w+)", steps))
    assert "dist:" in text("Makefile")


def test_an_attackers_eye_finds_nothing_in_the_workflows() -> None:
    zizmor = Path(sys.executable).with_name("zizmor")
    ran = subprocess.run(
        [str(zizmor), "--offline", "--no-progress", "--quiet", str(ROOT / ".github/workflows")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
