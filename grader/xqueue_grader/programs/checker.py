"""A judge of the author's own, for what no comparison can say: a Python file, run in the same isolation.

It gets JSON on its input (`input`, `arguments`, `output`, `expected`) and prints JSON: `share`, from 0 to 1, and, if it
likes, a `message`. What it reads a student wrote, so it is contained as well as the student's program is.
"""

import json
import math

from xqueue_grader.programs.exercise import Case, Exercise, ExerciseError
from xqueue_grader.programs.isolating import Isolation
from xqueue_grader.programs.program import Program
from xqueue_grader.programs.running import run
from xqueue_grader.programs.words import failure


def judged(exercise: Exercise, case: Case, output: str, isolation: Isolation) -> tuple[float, str]:
    """Return the share of the case's weight, and the message; raise ExerciseError where the checker gives neither."""
    question = {
        "input": case.input, "arguments": case.arguments, "output": output, "expected": case.output,
    }  # fmt: skip
    program = Program(("python3", exercise.checker), {exercise.checker: exercise.read(exercise.checker)})
    ran = run(program, exercise.limits, isolation, json.dumps(question).encode())
    what = f"{exercise.folder.name}: {exercise.checker}, {case.name}"
    if wrong := failure(ran, exercise.limits):
        raise ExerciseError(f"{what}: {wrong.replace('Your program', 'the checker')}")
    try:
        answer = json.loads(ran.output)
        share, message = answer["share"], answer.get("message", "")
    except (ValueError, TypeError, KeyError, RecursionError, AttributeError) as error:
        raise ExerciseError(f"{what}: it printed {ran.output[:200]!r}, no JSON with a share") from error
    if isinstance(share, bool):
        share = float(share)
    if not isinstance(share, int | float) or not math.isfinite(share) or not 0 <= share <= 1:
        raise ExerciseError(f"{what}: the share is {share!r}, no number from 0 to 1")
    if not isinstance(message, str):
        raise ExerciseError(f"{what}: the message is {str(message)[:200]!r}, no text")
    return float(share), message
