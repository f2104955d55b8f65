"""The legacy envelope: every answer to the LMS and to pull graders has this form."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping

from starlette.responses import Response, StreamingResponse

from broker_setup.process.beside import beside

# Some clients check for this Content-Type, though the content is JSON.
CONTENT_TYPE = "text/html; charset=utf-8"
# An answer has a student's work in it and says that it is HTML: a browser that opens it must run nothing of it.
_FOR_BROWSERS = {
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; sandbox",
    "cache-control": "no-store",
}
_HEADERS = {"content-type": CONTENT_TYPE, **_FOR_BROWSERS}
_READY_HEADERS = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
_PIECE = 16 * 1024  # characters
# A large answer goes out in pieces of this many bytes or little more; a connection has no more of it in memory.
_SENT_BYTES = 64 * 1024
# Content up to this size is written at once; written, it may be seven times as large, which a connection may hold.
SMALL_BYTES = 64 * 1024


def envelope(return_code: int, content: object) -> dict[str, object]:
    """Say how a call went, or one part of a bulk call."""
    return {"return_code": return_code, "content": content}


class EnvelopeResponse(Response):
    """An answer that is an envelope and nothing else: dialects.py may still change its Content-Type."""

    def __init__(self, text: str, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        """Have the headers of every envelope, which are bytes already, and some more."""
        self.status_code, self.background = status, None
        self.body = text.encode()
        more = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()] if headers else []
        self.raw_headers = [*_READY_HEADERS, *more, (b"content-length", b"%d" % len(self.body))]


class LargeEnvelope(StreamingResponse, EnvelopeResponse):
    """An envelope that is written piece by piece as its client reads, and never is whole in memory."""


def quoted(*texts: Iterable[str]) -> Iterator[str]:
    """Write a text as JSON does; it is given, and written, in pieces.

    In pieces because no other thread runs during one call of C, however long it takes. The text may be JSON itself: it
    comes out as one string.
    """
    yield '"'
    for text in texts:
        for part in text:
            for piece in _pieces(part) if len(part) > _PIECE else (part,):
                yield json.dumps(piece)[1:-1]
    yield '"'


def _pieces(text: str) -> Iterator[str]:
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def _without_markup(text: str) -> str:
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def success(content: object) -> EnvelopeResponse:
    """Answer that the call did what was asked; `content` is what the contract says for it."""
    return EnvelopeResponse(_enveloped_whole(0, content))


def refusal(content: str, status: int = 200, headers: Mapping[str, str] | None = None) -> EnvelopeResponse:
    """Answer that the call did nothing, and why; HTTP 200 is right also for a caller's mistake."""
    return EnvelopeResponse(_enveloped_whole(1, content), status, headers)


def _enveloped_whole(return_code: int, content: object) -> str:
    if isinstance(content, str) and len(content) > _PIECE:
        return "".join(_enveloped(return_code, quoted([content])))
    written = json.dumps(content)
    if len(written) > _PIECE:
        return "".join(_enveloped(return_code, _pieces(written)))
    return f'{{"return_code": {return_code}, "content": {_without_markup(written)}}}'


def _enveloped(return_code: int, content: Iterable[str]) -> Iterator[str]:
    yield f'{{"return_code": {return_code}, "content": '
    # In JSON these characters occur in strings only, where their escapes mean the same.
    yield from map(_without_markup, content)
    yield "}"


async def success_of(size: int, write: Callable[[], Iterable[str]]) -> EnvelopeResponse:
    """Answer that the call did what was asked; `write` yields the content as JSON, made of some `size` bytes.

    A large one is written twice: once for its length, which the head of the answer says, once as it is read.
    """
    if size <= SMALL_BYTES:
        return EnvelopeResponse("".join(_enveloped(0, ["".join(write())])))
    length = await beside(size, lambda: sum(map(len, _enveloped(0, write()))))
    return LargeEnvelope(_sent(_enveloped(0, write())), headers=_HEADERS | {"content-length": str(length)})


async def _sent(pieces: Iterable[str]) -> AsyncIterator[bytes]:
    some, size = [], 0
    for piece in pieces:
        some.append(piece)
        size += len(piece)
        if size >= _SENT_BYTES:
            yield "".join(some).encode()
            some, size = [], 0
            # Nothing else here lets other tasks run while a client reads quickly.
            await asyncio.sleep(0)
    yield "".join(some).encode()
