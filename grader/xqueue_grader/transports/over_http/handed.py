"""Reads what a poll brings: submissions, and for how long they are this grader's."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from xqueue_grader.common.errors import BadMessageError, in_brief
from xqueue_grader.submission import Submission


@dataclass(frozen=True)
class Handed:
    """A submission as a server hands it out: its header goes back as it came.

    `seconds` is how long its lease runs from now, None where the server doesn't say.
    """

    header: str
    body: object
    files: object
    seconds: float | None = None

    @property
    def name(self) -> str:
        """Its id, for logs."""
        value = _read(self.header)
        number = value.get("submission_id") if isinstance(value, dict) else None
        return in_brief(number) if isinstance(number, str) and not number.isalnum() else str(number)

    def submission(self, queue: str) -> Submission:
        """Return what a function sees of it; raise BadMessageError.

        A server that is polled doesn't tell which attempt it is, nor the uuid.
        """
        files = _read(self.files) if isinstance(self.files, str) else self.files or {}
        is_map = isinstance(files, Mapping) and all(isinstance(each, str) for item in files.items() for each in item)
        if not isinstance(self.body, str) or not is_map:
            raise BadMessageError("xqueue_body must be a string, xqueue_files map names to URLs", self.header.encode())
        name = self.name
        return Submission(self.body, files, int(name) if name.isdecimal() else 0, queue, 1, "")


def read_handed(content: object, now: float | None = None) -> Handed:
    """Read one submission: JSON in a string, or that itself; raise BadMessageError.

    `now` is the server's own time, in seconds since 1970.
    """
    value = _read(content) if isinstance(content, str) else content
    header = value.get("xqueue_header") if isinstance(value, dict) else None
    if not isinstance(value, dict) or header is None:
        raise BadMessageError("what it hands out has no xqueue_header", str(content)[:1000].encode(errors="replace"))
    text = header if isinstance(header, str) else json.dumps(header)
    expires = value.get("expires_at")
    seconds = expires - now if isinstance(expires, int | float) and now is not None else None
    return Handed(text, value.get("xqueue_body"), value.get("xqueue_files"), seconds)


def _read(text: object) -> object:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None
