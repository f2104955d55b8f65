r"""Grades students' Python programs: runs them apart from everything, and gives points for each test that passes.

    XQUEUE_AMQP_URL=amqp://my-grader:...@broker.example:5672/xqueue python examples/python_grader.py my-queue

The problem's author writes into the problem's grader_payload which of the folders in examples/exercises it is,

    {"exercise": "sum"}

or the tests themselves, where nothing has to be hidden from who reads the course:

    {"tests": [{"input": "3\n4\n", "output": "7\n"}, ...]}

At its start it says which isolation it found (bubblewrap's, where that works; else plain limits, which are far from
safe) and what that does not contain. XQUEUE_ISOLATION=bubblewrap has it stop where there is no other than plain limits.
docs/howto/student-programs.md is about all of it.
"""

import json
import os
import sys
from functools import partial
from pathlib import Path

from xqueue_grader import Answer, Options, Submission, run
from xqueue_grader.programs import Exercise, ExerciseError, Isolation, IsolationError, named
from xqueue_grader.programs import grade as graded
from xqueue_grader.programs import isolation as choose
from xqueue_grader.programs.exercise import exercise_from

EXERCISES = Path(__file__).resolve().parent / "exercises"


def grade(submission: Submission, isolation: Isolation) -> Answer:
    """Run all tests of the problem; a payload that can't be read is the author's mistake, and fails loudly."""
    return graded(exercise_of(submission.grader_payload), submission.student_response, isolation)


def exercise_of(payload: str) -> Exercise:
    """Find what the problem names, or make it of the problem's own tests."""
    try:
        match json.loads(payload):
            case {"exercise": name}:
                return named(EXERCISES, name)
            case {"tests": list(tests)}:
                # Word by word: how the program puts white space was never part of these.
                return exercise_from({"cases": tests, "compare": "words"}, EXERCISES)
    except ValueError as error:
        raise ExerciseError(f"grader_payload: {error}") from error
    raise ExerciseError(f"grader_payload has neither an exercise nor tests: {payload[:200]}")


def main(queues: list[str]) -> None:
    """Choose once, before anything is taken."""
    try:
        isolation = choose(os.environ.get("XQUEUE_ISOLATION", "auto"))
    except IsolationError as error:
        sys.exit(f"python_grader: {error}")
    print(f"python_grader: students' programs are isolated by {isolation.name}", file=sys.stderr)
    run(partial(grade, isolation=isolation), *queues, options=Options(at_once=2, timeout=300))


if __name__ == "__main__":
    main(sys.argv[1:])
