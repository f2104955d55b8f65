"""The example that grades Python programs: what a problem may say, what students get, and what is said at its start."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from broker_setup.wire.replies import FINE, check_strictly
from examples import python_grader
from tests.support.isolations import isolation_of
from tests.support.project import ROOT
from xqueue_grader import Submission
from xqueue_grader.programs import ExerciseError

SUM = {"tests": [{"input": "3\n4\n", "output": "7\n"}, {"input": "1\n1\n", "output": "2\n"}]}


def graded(program: str, payload: object = SUM) -> Any:
    body = json.dumps({"student_response": program, "grader_payload": json.dumps(payload)})
    reply = python_grader.grade(Submission(body, {}, 1, "python", 1, "0" * 32), isolation_of("plain"))
    assert check_strictly(json.dumps(reply).encode()) == FINE
    return reply


def test_a_right_program_gets_all_points() -> None:
    reply = graded("print(int(input()) + int(input()))")
    assert (reply["correct"], reply["score"]) == (True, 1)
    assert "2 of 2 points" in reply["msg"]


def test_a_program_that_is_right_sometimes_gets_some_points_and_sees_where_it_is_wrong() -> None:
    reply = graded("print(7)")
    assert (reply["correct"], reply["score"]) == (False, 0.5)
    assert "<p>Your program printed:</p><pre>7\n</pre><p>Expected:</p><pre>2\n</pre>" in reply["msg"]


def test_an_exercise_is_found_by_its_name() -> None:
    assert graded("print(int(input()) + int(input()))", {"exercise": "sum"})["score"] == 1


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("syntax error", "SyntaxError"),
        ("raise ValueError('<b> & such')", "&lt;b&gt; &amp; such"),
        ("import os; os.kill(os.getpid(), 9)", "ended by signal 9"),
        ("print('\\x00\\x1b[31m')", "\\x00\\x1b[31m"),
    ],
)
def test_a_program_that_fails_gets_no_points_and_is_told_why(program: str, says: str) -> None:
    reply = graded(program, {"tests": SUM["tests"][:1]})
    assert (reply["correct"], reply["score"]) == (False, 0)
    assert says in reply["msg"]


@pytest.mark.parametrize(
    "payload",
    [
        "no JSON object",
        {},
        {"tests": []},
        {"tests": [{"in": 1}]},
        {"exercise": "no-such"},
        {"exercise": "../exercises/sum"},
    ],
)
def test_an_authors_mistake_fails_loudly(payload: object) -> None:
    with pytest.raises(ExerciseError):
        graded("print(7)", payload)


@pytest.mark.parametrize(
    ("isolation", "says"),
    [
        ("plain", ["run WITHOUT WALLS", "not contained: It can use the network", "isolated by plain"]),
        ("jail", ["there is no isolation 'jail'"]),
    ],
)
def test_what_is_not_contained_is_said_before_anything_is_taken(isolation: str, says: list[str]) -> None:
    env = {**os.environ, "XQUEUE_ISOLATION": isolation, "PYTHONPATH": f"{ROOT}:{ROOT / 'grader'}"}
    # Of no queue, so it ends when it would begin to take work.
    done = subprocess.run(
        [sys.executable, "examples/python_grader.py"], cwd=ROOT, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    for words in says:
        assert words in done.stderr
