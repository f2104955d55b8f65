"""Reads a submission from a file: as a server hands it out, as its two texts, or what a student typed, as it is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xqueue_grader.common.errors import XQueueError

_OURS = {"student_response", "grader_payload", "files"}
_SERVERS = {"xqueue_body", "xqueue_files", "xqueue_header"}


class SubmissionFileError(XQueueError):
    """A file holds no submission; the text says what of it is wrong."""


@dataclass(frozen=True)
class Filed:
    """A submission's body, and what its files are called: each with a URL, or with the path where it lies."""

    body: str
    files: Mapping[str, str]


def read_submission_file(path: Path) -> Filed:
    """Read it; raise SubmissionFileError."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = (error.strerror if isinstance(error, OSError) else None) or "it is no UTF-8"
        raise SubmissionFileError(f"can't read {path}: {why}") from None
    return submission_in(text, str(path), is_json=path.suffix == ".json")


def submission_in(text: str, name: str, *, is_json: bool) -> Filed:
    """Read a file's text; what is not meant to be JSON is what a student typed. Raise SubmissionFileError."""
    if not is_json:
        return Filed(_body({"student_response": text}), {})
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SubmissionFileError(f"{name} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise SubmissionFileError(f"{name} must hold an object, with student_response or xqueue_body")
    if "xqueue_body" in value:
        return _as_handed_out(value, name)
    if odd := sorted(set(value) - _OURS):
        raise SubmissionFileError(f"{name} has {', '.join(odd)}: known are {', '.join(sorted(_OURS))}, or xqueue_body")
    if "student_response" not in value:
        raise SubmissionFileError(f"{name} has neither student_response nor xqueue_body")
    return Filed(_body(value), _files(value.get("files"), name))


def _as_handed_out(value: dict[str, Any], name: str) -> Filed:
    if odd := sorted(set(value) - _SERVERS):
        raise SubmissionFileError(f"{name} has {', '.join(odd)} beside xqueue_body")
    files = value.get("xqueue_files")
    if isinstance(files, str):
        try:
            files = json.loads(files)
        except (ValueError, RecursionError):
            raise SubmissionFileError(f"{name}: xqueue_files is no JSON") from None
    return Filed(_text(value["xqueue_body"]), _files(files, name))


def _files(value: object, name: str) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(each, str) for each in value.values()):
        raise SubmissionFileError(f"{name}: the files must be an object: each name with a URL, or with a path")
    return value


def _body(value: Mapping[str, Any]) -> str:
    fields = {"student_response": value["student_response"], "grader_payload": value.get("grader_payload", "")}
    return json.dumps({field: _text(each) for field, each in fields.items()})


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
