"""Makes an AMQP grader of a function from submission to reply: docs/howto/grader.md shows how."""

from broker_setup.grader.errors import GraderBrokenError, GradingError
from broker_setup.grader.grader import Grader, Options
from broker_setup.grader.pools import Grade, Workers
from broker_setup.grader.reply import Answer, reply
from broker_setup.grader.request import Submission
from broker_setup.grader.script import run
from broker_setup.grader.watching import End, Watch

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
