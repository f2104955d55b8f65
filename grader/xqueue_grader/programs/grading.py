"""Grades one student's program by an exercise: runs it, judges what it printed, and makes the reply."""

from functools import lru_cache
from typing import Any

from xqueue_grader.programs.checker import judged
from xqueue_grader.programs.checks import check_for
from xqueue_grader.programs.exercise import Case, Exercise, ExerciseError
from xqueue_grader.programs.isolating import Isolation
from xqueue_grader.programs.limits import Limits
from xqueue_grader.programs.program import Program
from xqueue_grader.programs.pytest_files import tested
from xqueue_grader.programs.report import report
from xqueue_grader.programs.running import run
from xqueue_grader.programs.score import Result, Score
from xqueue_grader.programs.words import failure


def grade(exercise: Exercise, text: str, isolation: Isolation) -> dict[str, Any]:
    """Return a reply: `correct`, `score` from 0 to 1, and `msg`, which is XML.

    Raise ExerciseError for an author's mistake, IsolationError where this machine could not run it: then nobody is
    told anything, the submission fails, and comes back.
    """
    score = scored(exercise, text, isolation)
    return {"correct": score.correct, "score": score.share, "msg": report(score)}


def scored(exercise: Exercise, text: str, isolation: Isolation) -> Score:
    """Run all cases, or tests; raise as `grade`."""
    command = exercise.command[0] if exercise.command else ""
    if not has(isolation, command):
        raise ExerciseError(f"{exercise.folder.name}: {isolation.name} has no program {command!r} to run")
    program = program_of(exercise, text)
    if exercise.pytest:
        return Score(tested(exercise, program, isolation))
    return Score([result_of(exercise, program, case, isolation) for case in exercise.cases])


def program_of(exercise: Exercise, text: str) -> Program:
    """Put the student's text beside the files that it may read; the tests and the checker are none of them."""
    beside = {name: exercise.read(name) for name in exercise.files}
    return Program(exercise.command, {**beside, exercise.program: text.encode(errors="replace")})


@lru_cache(maxsize=1_000)
def has(isolation: Isolation, command: str) -> bool:
    """Tell whether a command is there where programs run: one that is not would fail every student."""
    looking = Program(("sh", "-c", 'command -v "$0"', command), {})
    return bool(command) and run(looking, Limits(), isolation).well


def result_of(exercise: Exercise, program: Program, case: Case, isolation: Isolation) -> Result:
    """Run one case."""
    called = Program((*program.command, *case.arguments), program.files)
    ran = run(called, exercise.limits, isolation, case.input.encode())
    output = ran.output.decode(errors="replace")
    message = failure(ran, exercise.limits)
    share, expected = 0.0, ""
    if not message and exercise.checker:
        share, message = judged(exercise, case, output, isolation)
    elif not message:
        check = check_for(exercise.compare, exercise.tolerance)
        assert check, "it was looked at when the exercise was loaded"
        share, expected = float(check(output, case.output)), case.output
    return Result(case.name, case.weight, share, case.hidden, message, case.input, output, expected)
