"""What `xqueue-grader new` makes works as it is: its tests pass, by the fixtures that the package brings to pytest."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.project import ROOT

PLUGIN = "xqueue_grader.pytest_plugin"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT / "grader"), "."])
    environment = {"PYTHONPATH": path, "PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env=environment)


def test_a_new_grader_has_tests_that_pass_and_replies_that_are_taken(tmp_path: Path) -> None:
    made = run(tmp_path, "xqueue_grader", "new", "adder", "--queue", 'a "queue"')
    assert made.returncode == 0, made
    folder = tmp_path / "adder"
    names = {
        "grader.py",
        "tests",
        "requirements.txt",
        "requirements-dev.txt",
        "Dockerfile",
        ".dockerignore",
        "README.md",
    }
    assert {path.name for path in folder.iterdir()} == names
    assert r'run(grade, "a \"queue\"",' in (folder / "grader.py").read_text()
    assert "NAME_OF" not in "".join(path.read_text() for path in folder.rglob("*") if path.is_file())
    tests = run(folder, "pytest", "-q", "-W", "error", "-p", PLUGIN)
    assert (tests.returncode, "4 passed" in tests.stdout) == (0, True), tests
    for name, points in (("right", "correct, 1 point"), ("wrong", "incorrect, 0 points")):
        ran = run(folder, "xqueue_grader", "try", "grader.py", f"tests/{name}.json")
        assert (ran.returncode, points in ran.stdout, "odd" in ran.stdout) == (0, True, False), ran


def test_what_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "adder").write_text("mine")
    made = run(tmp_path, "xqueue_grader", "new", "adder")
    assert (made.returncode, "is there already" in made.stderr) == (2, True)
    assert (tmp_path / "adder").read_text() == "mine"


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    made = run(tmp_path, "xqueue_grader", "new", "../a b")
    assert (made.returncode, "must begin with a letter" in made.stderr) == (2, True)
