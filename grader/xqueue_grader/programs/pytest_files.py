"""Runs an author's pytest file, in a process of its own, and reads what became of each test.

The student's program is never in that process, nor are the tests where it runs: it can neither read nor change them.
"""

import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from xqueue_grader.programs.exercise import Exercise, ExerciseError
from xqueue_grader.programs.isolating import Isolation
from xqueue_grader.programs.program import IsolationError, Program
from xqueue_grader.programs.score import Result

PACKAGES = Path(__file__).resolve().parents[2]
PLUGIN = "xqueue_grader.programs.pytest_plugin"
# Without the plugins that happen to be installed: they cost seconds, and may change what tests mean.
START = """
import os, sys
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
sys.path.insert(0, sys.argv.pop(1))
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
LEAVING_SECONDS = 60
SAID = 2_000
ENDED = (0, 1)  # pytest's exit codes: all passed, some failed


def tested(exercise: Exercise, program: Program, isolation: Isolation) -> list[Result]:
    """Run the file; raise ExerciseError where it is not one of tests, IsolationError where a program could not run."""
    with tempfile.TemporaryDirectory(prefix="testing-") as made:
        folder = Path(made)
        (folder / "files").mkdir()
        for name, content in program.files.items():
            (folder / "files" / name).write_bytes(content)
        order = {
            "kind": isolation.name,
            "isolation": asdict(isolation),  # type: ignore[call-overload]
            "limits": asdict(exercise.limits),
            "command": program.command,
            "files": sorted(program.files),
            "name": exercise.program,
        }
        (folder / "order").write_text(json.dumps(order), encoding="utf-8")
        in_time, code, said = run_pytest(exercise, folder, isolation)
        lines = (folder / "found").read_text(encoding="utf-8").splitlines() if (folder / "found").exists() else []
    found = [json.loads(line) for line in lines]
    for line in found:
        if broken := line.get("broken"):
            raise IsolationError(broken)
    results = results_of(found)
    if not results or (in_time and code not in ENDED):
        raise ExerciseError(f"{exercise.folder.name}: {exercise.pytest}: no tests that can be run:\n{said[-SAID:]}")
    return results


def run_pytest(exercise: Exercise, folder: Path, isolation: Isolation) -> tuple[bool, int, str]:
    """Run it for as long as it may; return whether it ended by itself, its exit code, and what it printed."""
    options = ["-q", "-p", PLUGIN, "-p", "no:cacheprovider", "--rootdir", str(exercise.folder), "-c", "/dev/null"]
    options += ["--import-mode=importlib", "--program-order", str(folder / "order"), exercise.pytest]
    with (folder / "said").open("w+b") as said:
        child = subprocess.Popen(
            [sys.executable, "-B", "-c", START, str(PACKAGES), *options],
            cwd=exercise.folder,
            env=isolation.environment(folder),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        in_time = True
        with child:
            try:
                child.wait(exercise.pytest_seconds)
            except subprocess.TimeoutExpired:
                in_time = False
                child.terminate()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(LEAVING_SECONDS)
            finally:
                child.kill()
        said.seek(0)
        return in_time, child.returncode, said.read().decode(errors="replace")


def results_of(lines: Iterable[dict[str, Any]]) -> list[Result]:
    """Make results of what was told: first of each test, then of its ends, of which one failure is enough."""
    tests: dict[str, dict[str, Any]] = {}
    for line in lines:
        test = tests.setdefault(line["test"], {"share": 1, "ended": False})
        if "share" in line:
            line = {**line, "share": min(line["share"], test["share"]), "ended": True}  # noqa: PLW2901
        test.update(line)
    return [
        Result(
            test["name"],
            test["weight"],
            test["share"] if test["ended"] else 0,
            test["hidden"],
            test.get("message", "" if test["ended"] else "There was no time left for this test."),
        )
        for test in tests.values()
        if not test.get("skipped")
    ]
