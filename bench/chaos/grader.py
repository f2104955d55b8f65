"""The AMQP grader of `make chaos`: notes each submission that it grades as a line of the file in CHAOS_GRADED."""

import os
from pathlib import Path

from bench.chaos.cluster import AMQP_QUEUE
from tests.support.fleet import reply_to
from xqueue_grader import Answer, Submission, run

# The file's path, for the process.
GRADED = "CHAOS_GRADED"


def grade(submission: Submission) -> Answer:
    """Show what was graded."""
    with Path(os.environ[GRADED]).open("a") as graded:
        graded.write(f"{submission.body}\n")
    return reply_to(submission.body)


if __name__ == "__main__":
    run(grade, AMQP_QUEUE)
