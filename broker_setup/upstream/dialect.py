"""What an upstream's answers mean, whoever wrote them; no I/O.

Facts of edx-submissions 4.0, tried: each call answers an object with return_code (0: done) and content. Whoever is not
logged in, lacks the group `xqueue`, or shows no CSRF token gets 403 and an object without a return_code.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple

from yarl import URL

from broker_setup.errors import XQueueError
from broker_setup.outbound.callback_urls import parsed
from broker_setup.wire.replies import too_much_in
from broker_setup.wire.strangers_json import read_object

# Of the key that an LMS gives with a submission; it has 36.
MOST_KEY = 200
MOST_ID = 2**63 - 1
_DONE = 0


class UpstreamError(XQueueError):
    """An upstream did not do what it was asked; the text says why, and quotes nothing secret."""


class Said(NamedTuple):
    """What an upstream answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Envelope:
    """The object that an upstream wraps its answers in."""

    return_code: int
    content: str


@dataclass(frozen=True)
class Taken:
    """A submission that an upstream handed out; the same id and key come again when five minutes are over.

    `header` is what it wants back with the result, `body` and `files` (URLs by name) are for graders.
    """

    submission_id: int
    key: str
    header: str
    body: str
    files: Mapping[str, str]


def envelope_of(said: Said) -> Envelope | None:
    """Read the object; None where the answer is anything else."""
    content = _object(said.body.decode(errors="replace"))
    if content is None:
        return None
    code, text = content.get("return_code"), content.get("content")
    is_code = isinstance(code, int) and not isinstance(code, bool)
    return Envelope(code, text) if is_code and isinstance(text, str) else None  # type: ignore[arg-type]


def is_done(said: Said) -> bool:
    """Say whether the call did what it was for."""
    envelope = envelope_of(said) if said.status == HTTPStatus.OK else None
    return envelope is not None and envelope.return_code == _DONE


def is_logged_out(said: Said) -> bool:
    """Say whether an answer means that no session stands any more, or that its account may do nothing."""
    return said.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} and envelope_of(said) is None


def read_taken(said: Said, base: URL) -> Taken | None:
    """Read what get_submission/ answered, None if the queue is empty; raise UpstreamError if it can't be used.

    `base` is where the upstream is: URLs of files may begin there.
    """
    envelope = envelope_of(said)
    if said.status != HTTPStatus.OK:
        raise UpstreamError(f"answered {said.status}")
    if envelope is None:
        raise UpstreamError("answered 200 with something that is no answer of a grader queue")
    if envelope.return_code != _DONE:
        return None
    content = _object(envelope.content)
    header, body, files = ((content or {}).get(name) for name in ("xqueue_header", "xqueue_body", "xqueue_files"))
    if not isinstance(header, str) or not isinstance(body, str) or not isinstance(files, str | None):
        raise UpstreamError("handed out something without xqueue_header or xqueue_body")
    submission_id, key = _named_in(header)
    return Taken(submission_id, key, header, body, _files(files or "{}", base))


def _object(text: str) -> dict[str, object] | None:
    """Read an object of no more values than anybody needs: to make a million of them takes seconds."""
    return None if too_much_in(text) else read_object(text)


def _named_in(header: str) -> tuple[int, str]:
    content = _object(header) or {}
    number, key = content.get("submission_id"), content.get("submission_key")
    is_number = isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= MOST_ID
    if not is_number or not isinstance(key, str) or not 0 < len(key) <= MOST_KEY:
        raise UpstreamError("handed out something without a usable submission_id and submission_key")
    return number, key  # type: ignore[return-value]


def _files(text: str, base: URL) -> dict[str, str]:
    content = _object(text)
    if content is None:
        raise UpstreamError("handed out xqueue_files that are no JSON object")
    return {name: _file_url(given, base) for name, given in content.items()}


def _file_url(given: object, base: URL) -> str:
    """Make the URL whole: an LMS that keeps files itself names only its path. One that is may be signed, and stays."""
    try:
        read = parsed(given) if isinstance(given, str) else URL()
        url = base.join(read)
    except ValueError:
        read = url = URL()
    if not isinstance(given, str) or not given or url.scheme not in {"http", "https"} or not url.raw_host:
        raise UpstreamError("handed out a file that is at no http or https URL")
    return given if read.scheme else str(url)
