"""The legacy envelope: every answer to the LMS and to pull graders has this form."""

import json
from collections.abc import Iterator, Mapping

from starlette.responses import Response

# Some clients check it, though it is JSON.
CONTENT_TYPE = "text/html; charset=utf-8"
# A student's work stands in such a page: for a browser that comes upon it, it must be nothing but text.
_FOR_BROWSERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "cache-control": "no-store",
}
_PIECE = 64 * 1024  # characters
_MARKUP = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026"}


def envelope(return_code: int, content: object) -> dict[str, object]:
    """Say how a call went, or one part of a bulk call."""
    return {"return_code": return_code, "content": content}


class EnvelopeResponse(Response):
    """An answer that is an envelope, and nothing else; the edge may still change its status and Content-Type."""


def json_string(text: str) -> str:
    """Write a text as JSON does, in pieces: in one call of C no other thread runs, however long it takes."""
    return '"' + "".join(json.dumps(piece)[1:-1] for piece in _pieces(text)) + '"'


def _pieces(text: str) -> Iterator[str]:
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def _without_markup(text: str) -> str:
    for character, escape in _MARKUP.items():
        text = text.replace(character, escape)
    return text


def success(content: object) -> EnvelopeResponse:
    """Answer that the call did what was asked; `content` is what the contract says for it."""
    return _answer(0, content, 200, {})


def refusal(content: str, status: int = 200, headers: Mapping[str, str] | None = None) -> EnvelopeResponse:
    """Answer that the call did nothing, and why; HTTP 200 is right also for a caller's mistake."""
    return _answer(1, content, status, headers or {})


def _answer(return_code: int, content: object, status: int, headers: Mapping[str, str]) -> EnvelopeResponse:
    if isinstance(content, str):
        body = f'{{"return_code": {return_code}, "content": {json_string(content)}}}'
    else:
        body = json.dumps(envelope(return_code, content))
    # Within JSON they stand in strings alone, where this is another spelling of the same.
    body = "".join(map(_without_markup, _pieces(body)))
    all_headers = {"content-type": CONTENT_TYPE, **_FOR_BROWSERS, **headers}
    return EnvelopeResponse(body, status_code=status, headers=all_headers)
