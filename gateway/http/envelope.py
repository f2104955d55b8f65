"""The legacy envelope: every answer to the LMS and to pull graders has this form."""

import json
from collections.abc import Mapping

from starlette.responses import Response

# Some clients check it, though it is JSON.
CONTENT_TYPE = "text/html; charset=utf-8"


def envelope(return_code: int, content: object) -> dict[str, object]:
    """Say how a call went, or one part of a bulk call."""
    return {"return_code": return_code, "content": content}


def success(content: object) -> Response:
    """Answer that the call did what was asked; `content` is what the contract says for it."""
    return _answer(0, content, 200, {})


def refusal(content: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer that the call did nothing, and why; HTTP 200 is right also for a caller's mistake."""
    return _answer(1, content, status, headers or {})


def _answer(return_code: int, content: object, status: int, headers: Mapping[str, str]) -> Response:
    body = json.dumps(envelope(return_code, content))
    return Response(body, status_code=status, headers={"content-type": CONTENT_TYPE, **headers})
