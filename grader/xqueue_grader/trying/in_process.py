"""Tries a function here and now, for tests."""

import asyncio
import inspect
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from xqueue_grader.pools import Blocking, Grade
from xqueue_grader.reply import encoded
from xqueue_grader.submission import Submission
from xqueue_grader.trying.verdict import Prospect, prospect_of


@dataclass(frozen=True)
class Tried:
    """A reply, and what becomes of it in Open edX."""

    reply: bytes
    prospect: Prospect

    @property
    def wrong(self) -> str:
        """Why an LMS would not take it, "" if it would."""
        return self.prospect.wrong

    @property
    def odd(self) -> list[str]:
        """What its author may not have meant."""
        return self.prospect.odd

    @property
    def correct(self) -> bool | None:
        """How it counts."""
        return self.prospect.correct

    @property
    def score(self) -> float | None:
        """How many points."""
        return self.prospect.score

    @property
    def text(self) -> str:
        """What a student reads."""
        return self.prospect.text


def try_here(
    grade: Grade,
    student_response: str = "",
    *,
    grader_payload: object = "",
    files: Mapping[str, str] | None = None,
    body: str | None = None,
) -> Tried:
    """Have a function grade what a student typed, and look at its reply; what it raises, it raises.

    `body` is in place of the two texts; a `grader_payload` that is no text is made JSON of.
    """
    submission = submission_of(student_response, grader_payload, files or {}, body)
    reply = graded(grade, submission)
    return Tried(reply, prospect_of(reply))


def submission_of(student_response: str, payload: object, files: Mapping[str, str], body: str | None) -> Submission:
    """Make a submission as an LMS's code problem does."""
    if body is None:
        text = payload if isinstance(payload, str) else json.dumps(payload)
        body = json.dumps({"student_response": student_response, "grader_payload": text})
    return Submission(body, files, 1, "trying", 1, "0" * 32)


def graded(grade: Grade, submission: Submission) -> bytes:
    """Return the reply of a function, which may be a coroutine's; not from within an event loop."""
    if inspect.iscoroutinefunction(grade):
        return encoded(asyncio.run(grade(submission)))
    return encoded(cast("Blocking", grade)(submission))
