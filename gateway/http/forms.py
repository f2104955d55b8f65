"""Reads forms, urlencoded or multipart, within limits; what is too much is refused after it was read."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import unquote_to_bytes

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from broker_setup.errors import XQueueError

MAX_FIELDS = 100
# An early answer makes proxies say 502, so a refused body is read to its end, but not for ever.
DRAIN_SECONDS = 30.0


class BadFormError(XQueueError):
    """The body is no form that can be read; the text says why."""


class TooLargeError(XQueueError):
    """The form, a file or their number is over a limit; the text names the limit."""


@dataclass(frozen=True)
class FormLimits:
    """Sizes in bytes: all fields (on the wire), each file, all files; and how many files."""

    fields: int
    file: int
    files_total: int
    files: int


@dataclass(frozen=True)
class Form:
    """Fields by name, and uploaded files by the name of their part; of repeated names the last counts."""

    fields: Mapping[str, str]
    files: Mapping[str, BinaryIO] = field(default_factory=dict)


@asynccontextmanager
async def read_form(request: Request, limits: FormLimits) -> AsyncIterator[Form]:
    """Read the request's form, whatever its Content-Type says, and drop its temporary files at the end.

    Raise TooLargeError or BadFormError, after the body was read.
    """
    # One stream for parsing and draining: a request hands out its last chunk only once.
    stream = request.stream()
    if not _is_multipart(request):
        yield Form(_parse_urlencoded(await _read(stream, limits.fields)))
        return
    parts = await _parse_multipart(request.headers["content-type"], stream, limits)
    try:
        yield _sorted_out(parts, limits)
    finally:
        for _, part in parts:
            if isinstance(part, UploadFile):
                await part.close()


async def read_body(request: Request, limit: int) -> bytes:
    """Read a body that is no form; raise TooLargeError, after it was read."""
    return await _read(request.stream(), limit)


async def drain(stream: AsyncIterator[bytes]) -> None:
    """Read what is left of a body and drop it; give up after 30 s."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in stream:
                pass
    except TimeoutError:
        return


async def _read(stream: AsyncIterator[bytes], limit: int) -> bytes:
    return b"".join([chunk async for chunk in _limited(stream, limit)])


async def _limited(stream: AsyncIterator[bytes], limit: int) -> AsyncGenerator[bytes, None]:
    received = 0
    async for chunk in stream:
        received += len(chunk)
        if received > limit:
            await drain(stream)
            raise TooLargeError(f"more than {limit} bytes")
        yield chunk


def _is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


def _parse_urlencoded(body: bytes) -> dict[str, str]:
    pairs = [pair.partition(b"=") for pair in body.split(b"&", MAX_FIELDS) if pair]
    if len(pairs) > MAX_FIELDS:
        raise TooLargeError(f"more than {MAX_FIELDS} fields")
    try:
        return {_unquote(name).decode(): _unquote(value).decode() for name, _, value in pairs}
    except UnicodeDecodeError as error:
        raise BadFormError("the form is not UTF-8") from error


def _unquote(text: bytes) -> bytes:
    """Decode percent escapes and plus signs, as urllib.parse does, but in C: 4 us for a submit, not 45."""
    escaped = text.replace(b"\\", b"\\\\").replace(b"+", b" ").replace(b"%", b"\\x")
    try:
        return escaped.decode("unicode_escape").encode("latin-1")
    except UnicodeDecodeError:
        # A percent sign that begins no escape stands for itself; only urllib knows that.
        return unquote_to_bytes(text.replace(b"+", b" "))


class _Parser(MultiPartParser):
    """Starlette's, which takes a form that is cut off for a whole one, and guesses when bytes are not UTF-8."""

    is_complete = False

    def __init__(self, content_type: str, stream: AsyncIterator[bytes], limits: FormLimits) -> None:
        # Under Latin-1 every byte is a character, so _utf8 gets the sender's bytes; of two charsets the last counts.
        headers = Headers({"content-type": f"{content_type}; charset=latin-1"})
        body = self._whole(_limited(stream, limits.fields + limits.files_total))
        super().__init__(headers, body, max_files=limits.files, max_fields=MAX_FIELDS, max_part_size=limits.fields)

    def on_end(self) -> None:
        self.is_complete = True

    async def _whole(self, stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        async for chunk in stream:
            yield chunk
        if not self.is_complete:
            raise MultiPartException("the form is cut off")


async def _parse_multipart(
    content_type: str,
    stream: AsyncIterator[bytes],
    limits: FormLimits,
) -> list[tuple[str, UploadFile | str]]:
    try:
        form = await _Parser(content_type, stream, limits).parse()
    except MultiPartException as error:
        await drain(stream)
        raise _explain(error.message, limits) from error
    except UnicodeError as error:
        await drain(stream)
        raise BadFormError("the form is not UTF-8") from error
    return form.multi_items()


def _explain(message: str, limits: FormLimits) -> XQueueError:
    if message.startswith("Too many files"):
        return TooLargeError(f"more than {limits.files} files")
    if message.startswith("Too many fields"):
        return TooLargeError(f"more than {MAX_FIELDS} fields")
    if message.startswith("Part exceeded"):
        return TooLargeError(f"a field has more than {limits.fields} bytes")
    return BadFormError(message)


def _sorted_out(parts: list[tuple[str, UploadFile | str]], limits: FormLimits) -> Form:
    fields = {_utf8(name): _utf8(part) for name, part in parts if isinstance(part, str)}
    files = {_utf8(name): part for name, part in parts if isinstance(part, UploadFile)}
    for name, file in files.items():
        if (file.size or 0) > limits.file:
            raise TooLargeError(f"file {name!r} has more than {limits.file} bytes")
    return Form(fields, {name: file.file for name, file in files.items()})


def _utf8(text: str) -> str:
    try:
        return text.encode("latin-1").decode()
    except UnicodeError as error:
        raise BadFormError("the form is not UTF-8") from error
