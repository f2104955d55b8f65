"""What a grading function sees of a submission, whichever way it came."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from xqueue_grader.errors import UnreadableBodyError


@dataclass(frozen=True, slots=True)
class Submission:
    """What a grading function sees of a submission, or of a call.

    `body` is the student's work as the LMS sent it, `files` maps a file's name, which is a student's text and no path,
    to the URL where it is fetched. `id` is the number that people and logs know it by (0 where a caller gave none),
    `uuid` the name that it has everywhere. `attempt` counts from 1: how often its grading was tried.
    """

    body: str
    files: Mapping[str, str]
    id: int
    queue: str
    attempt: int
    uuid: str

    @property
    def student_response(self) -> str:
        """What the student typed; raise UnreadableBodyError where the body is not a code problem's."""
        return self._field("student_response")

    @property
    def grader_payload(self) -> str:
        """What the problem's author wrote for the grader, often JSON; raise UnreadableBodyError as above."""
        return self._field("grader_payload")

    def _field(self, name: str) -> str:
        try:
            content = json.loads(self.body)
        except (ValueError, RecursionError):
            content = None
        value = content.get(name) if isinstance(content, dict) else None
        if not isinstance(value, str):
            raise UnreadableBodyError(f"xqueue_body is not JSON with a text {name!r}")
        return value
