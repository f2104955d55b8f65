"""Makes a grader for XQueue of a function from submission to reply."""

from xqueue_grader.errors import GraderBrokenError, GradingError
from xqueue_grader.grader import Grader
from xqueue_grader.options import Options
from xqueue_grader.pools import Grade, Workers
from xqueue_grader.reply import Answer, reply
from xqueue_grader.running import run
from xqueue_grader.submission import Submission
from xqueue_grader.watching import End, Watch

__all__ = [
    "Answer",
    "End",
    "Grade",
    "Grader",
    "GraderBrokenError",
    "GradingError",
    "Options",
    "Submission",
    "Watch",
    "Workers",
    "reply",
    "run",
]
