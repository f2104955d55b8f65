"""Students' programs, run safely: an exercise, an isolation, and `grade`, which makes a reply of both.

    from xqueue_grader.programs import grade, isolation, load

It uses nothing of the rest of this package, and nothing but Python's own library.
"""

from xqueue_grader.programs.choosing import isolation
from xqueue_grader.programs.container import Container
from xqueue_grader.programs.exercise import Exercise, ExerciseError, load, named
from xqueue_grader.programs.grading import grade, scored
from xqueue_grader.programs.isolating import Isolation
from xqueue_grader.programs.limits import Limits, LimitsError
from xqueue_grader.programs.program import End, IsolationError, Program, Ran
from xqueue_grader.programs.running import run

__all__ = [
    "Container",
    "End",
    "Exercise",
    "ExerciseError",
    "Isolation",
    "IsolationError",
    "Limits",
    "LimitsError",
    "Program",
    "Ran",
    "grade",
    "isolation",
    "load",
    "named",
    "run",
    "scored",
]
