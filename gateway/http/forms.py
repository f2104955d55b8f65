"""Reads forms, urlencoded or multipart, within limits; what is too much is refused after it was read."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import BinaryIO
from urllib.parse import parse_qsl

from starlette.datastructures import UploadFile
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
    if not _is_multipart(request):
        yield Form(_parse_urlencoded(await _read(request, limits.fields)))
        return
    parts = await _parse_multipart(request, limits)
    try:
        yield _sorted_out(parts, limits)
    finally:
        for _, part in parts:
            if isinstance(part, UploadFile):
                await part.close()


async def drain(request: Request) -> None:
    """Read what is left of the body and drop it; give up after 30 s."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in request.stream():
                pass
    except TimeoutError:
        return


async def _read(request: Request, limit: int) -> bytes:
    return b"".join([chunk async for chunk in _limited(request, limit)])


async def _limited(request: Request, limit: int) -> AsyncGenerator[bytes, None]:
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        if received <= limit:
            yield chunk
        elif received - len(chunk) <= limit:
            await drain(request)
            raise TooLargeError(f"more than {limit} bytes")


def _is_multipart(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith("multipart/form-data")


def _parse_urlencoded(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except UnicodeDecodeError as error:
        raise BadFormError("the form is not UTF-8") from error
    except ValueError as error:
        raise BadFormError(f"the form has more than {MAX_FIELDS} fields") from error
    return dict(pairs)


async def _parse_multipart(request: Request, limits: FormLimits) -> list[tuple[str, UploadFile | str]]:
    parser = MultiPartParser(
        request.headers,
        _limited(request, limits.fields + limits.files_total),
        max_files=limits.files,
        max_fields=MAX_FIELDS,
        max_part_size=limits.fields,
    )
    try:
        form = await parser.parse()
    except MultiPartException as error:
        await drain(request)
        raise BadFormError(error.message) from error
    return form.multi_items()


def _sorted_out(parts: list[tuple[str, UploadFile | str]], limits: FormLimits) -> Form:
    fields = {name: part for name, part in parts if isinstance(part, str)}
    files = {name: part for name, part in parts if isinstance(part, UploadFile)}
    for name, file in files.items():
        if (file.size or 0) > limits.file:
            raise TooLargeError(f"file {name!r} has more than {limits.file} bytes")
    return Form(fields, {name: file.file for name, file in files.items()})
