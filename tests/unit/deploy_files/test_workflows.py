"""The forge's jobs: what is pinned is audited once a week, by nobody's code but ours and with no right to write."""

import os
from typing import Any

import pytest
import yaml

from tests.support.project import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


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


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_nobody_elses_code_and_may_write_nothing(path: Any) -> None:
    read = workflow(path.name)
    assert read["permissions"] == {"contents": "read"}
    for job in read["jobs"].values():
        assert "permissions" not in job
        assert all("run" in step and "uses" not in step for step in job["steps"])
