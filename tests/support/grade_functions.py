"""Functions that grade, for tests of graders: their worker processes import this, and nothing else of the tests."""

import os
import sys
import time

from xqueue_grader import Answer, Submission, reply


def right(submission: Submission) -> Answer:
    return reply(correct=True, score=1, text=submission.body)


def wayward(submission: Submission) -> Answer:
    """Do what the body says."""
    match submission.body:
        case "fail":
            raise KeyError("no such test")
        case "leave":
            sys.exit(3)
        case "die":
            os._exit(7)
        case "hang":
            time.sleep(5)
        case "nothing":
            return None  # type: ignore[return-value]
    return right(submission)


def typed(submission: Submission) -> Answer:
    return reply(correct=True, score=1, text=submission.student_response)
