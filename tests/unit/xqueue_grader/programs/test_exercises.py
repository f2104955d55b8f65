"""Whole exercises: cases, hidden ones, a checker, a file of pytest's; what students earn and what they get to see."""

import json
from pathlib import Path
from typing import Any

import pytest

from broker_setup.wire.replies import FINE, check_strictly
from tests.support.isolations import isolation_of
from tests.support.project import ROOT
from xqueue_grader.programs import Exercise, ExerciseError, grade, load, scored

EXAMPLES = ROOT / "examples/exercises"


@pytest.fixture(params=["bubblewrap", "plain"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def graded(exercise: Exercise, text: str, kind: str = "plain") -> dict[str, Any]:
    reply = grade(exercise, text, isolation_of(kind))
    assert check_strictly(json.dumps(reply).encode()) == FINE
    return reply


def exercise_in(folder: Path, toml: str, **files: str) -> Exercise:
    (folder / "exercise.toml").write_text(toml)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    return load(folder)


def test_cases_earn_their_weights_and_hidden_ones_show_nothing(kind: str) -> None:
    exercise = load(EXAMPLES / "sum")
    assert graded(exercise, "print(int(input()) + int(input()))", kind) == {
        "correct": True,
        "score": 1.0,
        "msg": '<div class="xqueue-programs"><p>4 of 4 points.</p></div>',
    }
    reply = graded(exercise, "a, b = input(), input()\nprint(int(float(a) + float(b)) if '-' not in a else 'no')", kind)
    assert (reply["correct"], reply["score"]) == (False, 0.25)
    assert "a negative one" in reply["msg"]
    assert "<pre>-3\n</pre>" in reply["msg"]
    assert "a hidden test" in reply["msg"]
    assert "1234567890" not in reply["msg"]
    assert "very large" not in reply["msg"]


def test_a_program_that_prints_a_hidden_input_or_fails_over_it_tells_nobody() -> None:
    reply = graded(load(EXAMPLES / "sum"), "import sys; text = sys.stdin.read(); print(text); raise ValueError(text)")
    assert reply["score"] == 0
    assert "1234567890" not in reply["msg"]


def test_a_checker_judges_what_no_comparison_can() -> None:
    exercise = load(EXAMPLES / "roots")
    assert graded(exercise, "print(-float(input()) ** 0.5)", "bubblewrap")["score"] == 1
    reply = graded(exercise, "print('1.42' if input() == '2' else 'x')", "bubblewrap")
    assert reply["score"] == 0.25
    assert "Only near" in reply["msg"]
    assert "This is no number" in reply["msg"]


def test_neither_tests_nor_checker_nor_right_answers_are_where_the_program_runs(tmp_path: Path) -> None:
    (tmp_path / "data.txt").write_text("to read")
    toml = 'checker = "check.py"\nfiles = ["data.txt"]\n[[cases]]\noutput = "the-answer"\n'
    checker = "import json, sys; print(json.dumps({'share': 1, 'message': json.load(sys.stdin)['output']}))"
    exercise = exercise_in(tmp_path, toml, check=checker)
    text = "import os; print(sorted(os.listdir())); print(open('/proc/1/cmdline').read(), os.environ)"
    result = scored(exercise, text, isolation_of("plain")).results[0]
    assert result.message.splitlines()[0] == "['data.txt', 'program.py']"
    assert "the-answer" not in result.message


@pytest.mark.parametrize(
    "checker",
    [
        "",
        "print('{\"share\": 2}')",
        "print('{\"share\": NaN}')",
        "print('[' * 50000)",
        "raise ValueError",
    ],
)
def test_a_checker_that_gives_no_share_is_the_authors_mistake(tmp_path: Path, checker: str) -> None:
    exercise = exercise_in(tmp_path, 'checker = "check.py"\n[[cases]]\n', check=checker)
    with pytest.raises(ExerciseError, match=r"check\.py, Test 1: "):
        graded(exercise, "")


def test_a_file_of_tests_calls_the_students_function_where_it_can_do_no_harm() -> None:
    exercise = load(EXAMPLES / "vowels")
    reply = graded(exercise, "print('noise')\ndef vowels(text):\n    return {'banana': 3}[text]", "bubblewrap")
    assert reply["score"] == 0.25
    assert "KeyError: &#x27;OUI&#x27;" in reply["msg"]
    assert "test_none_at_all" not in reply["msg"]


def test_a_program_in_a_file_of_tests_can_not_pass_by_ending_or_by_faking_tests() -> None:
    exercise = load(EXAMPLES / "vowels")
    cheat = """
import os, sys
found = [name for name in os.listdir() if name.startswith("try_")] + [name for name in sys.modules if "pytest" in name]
print(found, file=sys.stderr)
for descriptor in range(3, 10):
    try:
        os.write(descriptor, b'{"value": 3}')
    except OSError:
        pass
os._exit(0)
"""
    # What it says that its function returned is its to say: two tests want a 3, and the third does not.
    reply = graded(exercise, cheat)
    assert (reply["correct"], reply["score"]) == (False, 0.5)


def test_a_file_of_tests_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    exercise = exercise_in(
        tmp_path, 'pytest = "try_it.py"\npytest_seconds = 1\n', try_it="import time; time.sleep(1000)"
    )
    with pytest.raises(ExerciseError, match="no tests that can be run"):
        graded(exercise, "")


def test_a_file_without_tests_that_can_be_read_is_the_authors_mistake(tmp_path: Path) -> None:
    with pytest.raises(ExerciseError, match="no tests that can be run"):
        graded(exercise_in(tmp_path, 'pytest = "try_it.py"', try_it="syntax error"), "")


def test_a_language_that_is_not_there_is_not_the_students_failure(tmp_path: Path) -> None:
    exercise = exercise_in(tmp_path, 'command = ["no-such-language", "program.py"]\n[[cases]]\n')
    with pytest.raises(ExerciseError, match="no program 'no-such-language' to run"):
        graded(exercise, "")


HOSTILE = r"""
import sys
sys.stdout.buffer.write(b"\xff\xfe\x00\x1b[2J\x1b]0;owned\x07<script>alert(1)</script>]]>&amp;\r\x08\xe2\x80\xae\xef\xbf\xbe")
sys.stdout.buffer.write(b"\xed\xa0\x80 PK\x03\x04" + bytes(range(256)) * 50)
"""


def test_whatever_is_printed_is_shown_as_text_that_the_lms_takes() -> None:
    reply = graded(load(EXAMPLES / "sum"), HOSTILE)
    assert "<script" not in reply["msg"]
    assert r"\x1b[2J" in reply["msg"]
    assert r"\u202e" in reply["msg"]
    assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in reply["msg"])
    assert len(reply["msg"]) < 100_000
