"""What an exercise's file may say, and how an author is told what is wrong in it."""

from pathlib import Path

import pytest

from xqueue_grader.programs import ExerciseError, load, named

CASES = "[[cases]]\n"


def test_all_that_may_be_said(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("3\n")
    (tmp_path / "exercise.toml").write_text("""
command = ["sh", "-c", "cc -o /tmp/it program.c && exec /tmp/it"]
program = "program.c"
compare = "numbers"
tolerance = 1
[limits]
seconds = 2.5
memory_bytes = 64_000_000
[[cases]]
name = "one"
input_file = "in.txt"
output = "9"
weight = 2.5
arguments = ["-v"]
hidden = true
""")
    exercise = load(tmp_path)
    [case] = exercise.cases
    assert (case.input, case.output, case.weight, case.arguments, case.hidden) == ("3\n", "9", 2.5, ("-v",), True)
    assert (exercise.limits.seconds, exercise.limits.memory_bytes, exercise.limits.cpu_seconds) == (2.5, 64_000_000, 2)


@pytest.mark.parametrize(
    ("toml", "says"),
    [
        ("", r"either \[\[cases\]\] or pytest"),
        ("cases = 1", "cases can not be 1"),
        ("cases = [1]", "cases can not be"),
        ("pytest = 'no.py'", r"no\.py: No such file"),
        ("pytest = '../other/test.py'", "no file in the exercise's own folder"),
        ("checker = '/etc/passwd'\n" + CASES, "no file in the exercise's own folder"),
        ("compare = 'fuzzy'\n" + CASES, "there are text, words, numbers and exact"),
        ("command = 'python3'\n" + CASES, "command can not be 'python3'"),
        ("colour = 1\n" + CASES, "no 'colour'"),
        ("limits = 3\n" + CASES, "limits can not be 3"),
        ("[limits]\nseconds = 0\n" + CASES, "seconds is 0"),
        ("[limits]\nseconds = nan\n" + CASES, "seconds is nan"),
        ("[limits]\nmemory_bytes = 1.5\n" + CASES, "memory_bytes is 1.5"),
        ("[limits]\nmemory = 5\n" + CASES, "no limit 'memory'"),
        (CASES + "in = 1", "case 1 has no 'in'"),
        (CASES + "input = 1", "input can not be 1"),
        (CASES + "weight = -1", "weight -1"),
        (CASES + "weight = true", "weight can not be True"),
        (CASES + "weight = nan", "weight nan"),
        (CASES + "input = ''\ninput_file = 'x'", "both input and input_file"),
        ("files = ['program.py']\n" + CASES, "the student's own"),
        ("[[cases", "exercise.toml: "),
    ],
)
def test_an_authors_mistake_is_named(tmp_path: Path, toml: str, says: str) -> None:
    (tmp_path / "exercise.toml").write_text(toml)
    with pytest.raises(ExerciseError, match=says):
        load(tmp_path)


@pytest.mark.parametrize("name", ["../other", "", ".", "a/b", "a\n", "a" * 101, None, 3, ["sum"], "no-such"])
def test_a_name_leads_to_no_other_folder(tmp_path: Path, name: object) -> None:
    (tmp_path / "exercises").mkdir()
    with pytest.raises(ExerciseError):
        named(tmp_path / "exercises", name)
