"""Every YAML file of the project is well formed and in one style."""

import subprocess
import sys

from tests.support.project import ROOT


def test_yamllint_has_nothing_to_say() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "yamllint", "--strict", "--config-file", ".yamllint.yaml", ".yamllint.yaml", "."],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
