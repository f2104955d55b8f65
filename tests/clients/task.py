"""What a grader of the tests is given: where to take one submission, as whom, and what to say of it."""

import json
from dataclasses import dataclass
from typing import Any

REPLY = json.dumps({"correct": True, "score": 1, "msg": "<p>Good job!</p>"})
# How often a grader asks again until it gives up, and the seconds in between: a submission is there within moments.
TRIES = 60
PAUSE_SECONDS = 0.25


@dataclass(frozen=True)
class Task:
    """One submission to take and to grade with REPLY; `base` ends in /xqueue."""

    base: str
    queue: str
    account: str
    password: str

    @property
    def login(self) -> dict[str, str]:
        """The form of login/."""
        return {"username": self.account, "password": self.password}

    def result(self, submission: dict[str, Any]) -> dict[str, str]:
        """Make the form of put_result/; the header goes back as it came."""
        return {"xqueue_header": submission["xqueue_header"], "xqueue_body": REPLY}


def submission_in(envelope: dict[str, Any]) -> dict[str, Any] | None:
    """Read the answer to get_submission/; None if the queue is empty; fail if it is anything else."""
    if envelope["return_code"] == 0:
        submission: dict[str, Any] = json.loads(envelope["content"])
        return submission
    assert envelope["content"].startswith("Queue "), envelope
    assert envelope["content"].endswith(" is empty"), envelope
    return None
