"""A grader as its users write it, run as a program by tests: it says in a file what it begins, and waits if told to.

`wait` waits until there is the file that goes by the first one's name and `.go`, `wait 60` for so many seconds.
"""

import sys
import time
from pathlib import Path

from xqueue_grader import Answer, Options, Submission, Workers, reply, run

WORKERS, STARTED = Workers(sys.argv[1]), Path(sys.argv[2])
GO = STARTED.with_suffix(".go")


def grade(submission: Submission) -> Answer:
    with STARTED.open("a", encoding="ascii") as started:
        started.write(f"{submission.uuid}\n")
    match submission.body.split():
        case ["wait"]:
            while not GO.exists():
                time.sleep(0.02)
        case ["wait", seconds]:
            time.sleep(float(seconds))
    return reply(correct=True, score=1, text=submission.body)


if __name__ == "__main__":
    run(grade, "openedx", options=Options(at_once=2, workers=WORKERS, prefetch=4, stop_grace=5))
