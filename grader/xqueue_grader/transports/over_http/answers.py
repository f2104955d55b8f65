"""What a server answered, and what that means: done, no, log in first, no such call, or later. No I/O.

Servers differ in their statuses, and agree in the envelope and its texts; so an envelope is believed before a status.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus
from urllib.parse import urlsplit

from xqueue_grader.common.errors import XQueueError, in_brief

LOGIN_REQUIRED = "login_required"
WRONG_KEY = "Incorrect key for submission"
NO_SUBMISSION = "Submission does not exist"
TOO_LARGE = "Reply is too large"

# No maintenance is announced for longer, and a date of next year is a mistake.
MAX_RETRY_AFTER = 600.0
_NO_SUCH_CALL = {HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE, HTTPStatus.NOT_IMPLEMENTED}
_REDIRECTS = range(300, 400)


class UnavailableError(XQueueError):
    """The server can't answer now: try again, after `retry_after` seconds if it said so.

    `may_be_done` says whether what was asked for may have happened all the same.
    """

    def __init__(self, why: str, retry_after: float | None = None, *, may_be_done: bool = True) -> None:
        super().__init__(why)
        self.retry_after = retry_after
        self.may_be_done = may_be_done


class NoSuchCallError(XQueueError):
    """The server has no such call: it is another kind of server, or a proxy stands there alone."""


@dataclass(frozen=True)
class Envelope:
    """What every server of this API answers with: 0 or 1, and the content."""

    code: int
    content: object

    @property
    def refusal(self) -> str:
        """Why the call did nothing; "" if it did."""
        return "" if self.code == 0 else str(self.content)


@dataclass(frozen=True)
class Answer:
    """An answer as it came; the names of `headers` are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @cached_property
    def envelope(self) -> Envelope | None:
        """Read the body; None where it is something else, such as a proxy's page."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return None
        if not isinstance(value, dict) or value.get("return_code") not in {0, 1} or "content" not in value:
            return None
        return Envelope(value["return_code"], value["content"])

    @property
    def wants_login(self) -> bool:
        """Whether the caller is nobody to the server, or nobody any more."""
        if self.envelope and self.envelope.content != LOGIN_REQUIRED:
            return False
        if self.status in _REDIRECTS:
            return "login" in urlsplit(self.headers.get("location", "")).path
        return self.envelope is not None or self.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}

    @property
    def is_too_large(self) -> bool:
        """Whether the server, or a proxy before it, takes no such large request."""
        content = str(self.envelope.content) if self.envelope else ""
        return content.startswith(TOO_LARGE) or self.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE

    def read(self) -> Envelope:
        """Return the envelope; raise NoSuchCallError or UnavailableError where there is none to go by."""
        if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR or self.status == HTTPStatus.TOO_MANY_REQUESTS:
            if self.status == HTTPStatus.NOT_IMPLEMENTED:
                raise NoSuchCallError("it has no such call (501)")
            raise UnavailableError(f"it answers {self.status}", retry_after(self.headers))
        if self.envelope:
            return self.envelope
        if self.status in _NO_SUCH_CALL:
            raise NoSuchCallError(f"it has no such call ({self.status})")
        if self.status in _REDIRECTS:
            there = in_brief(self.headers.get("location", ""))
            raise UnavailableError(f"it sends its callers to {there}: name that in the URL", may_be_done=False)
        raise UnavailableError(f"it answers {self.status} and no JSON with a return_code: is this an XQueue?")


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Read when a server wants to be asked again: in seconds, or at a date; None if it doesn't say."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_RETRY_AFTER)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return None
    now = now or datetime.now(UTC)
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return min(max(0.0, (when - now).total_seconds()), MAX_RETRY_AFTER)


def sent_at(headers: Mapping[str, str]) -> float | None:
    """Read the server's own time, in seconds since 1970; None if it doesn't say."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp()
    except ValueError:
        return None
