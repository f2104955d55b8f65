"""Reads forms, urlencoded, multipart or JSON, within limits; a body over one is read to its end, then refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from starlette.requests import Request

from broker_setup.process.beside import beside
from broker_setup.process.shortages import shortage
from gateway.http.form_limits import (
    MAX_FIELDS,
    Allowance,
    BadFormError,
    FormLimits,
    ShortError,
    TooLargeError,
)
from gateway.http.form_text import text_of
from gateway.http.json_form import is_json_object, parse_json_form
from gateway.http.multipart import charset_of, parse_multipart, texts_of
from gateway.http.shared_room import BusyError
from gateway.http.urlencoded import parse_urlencoded

if TYPE_CHECKING:
    from starlette.datastructures import UploadFile

__all__ = [
    "MAX_FIELDS",
    "BadFormError",
    "Form",
    "FormLimits",
    "ShortError",
    "TooLargeError",
    "drain",
    "read_body",
    "read_form",
]

# An early answer makes proxies say 502, so a refused body is read to its end, but not for ever.
DRAIN_SECONDS = 30.0
_USUAL_TYPE = "application/x-www-form-urlencoded"

T = TypeVar("T")


@dataclass(frozen=True)
class Form:
    """Fields by name, and uploaded files by the name of their part; of repeated names the last counts.

    Whoever has read large fields may clear them: they stay in memory for as long as the form is open.
    """

    fields: dict[str, str]
    files: Mapping[str, BinaryIO] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many characters the fields have."""
        return sum(map(len, self.fields.values()))


@asynccontextmanager
async def read_form(request: Request, limits: FormLimits) -> AsyncIterator[Form]:
    """Read the request's form, whatever its Content-Type says, and drop its temporary files at the end.

    Raise TooLargeError, BadFormError, BusyError or ShortError, after the body was read.
    """
    # One stream for parsing and draining: a request hands out its last chunk only once.
    stream, allowance = request.stream(), Allowance(limits)
    content_type = request.headers.get("content-type", "")
    files: list[tuple[bytes, UploadFile]] = []
    try:
        if content_type.lower().startswith("multipart/form-data"):
            parsing = parse_multipart(content_type, stream, limits, allowance)
            parts, files = await _refused_at_the_end(stream, parsing)
            fields = await beside(allowance.taken, texts_of, parts, content_type)
            del parts  # the bytes of the fields, which would stay in memory for as long as the call takes
            yield Form(fields, {text_of(name): file.file for name, file in files})
        else:
            body = await _refused_at_the_end(stream, _read(stream, allowance))
            # JSON is read value by value, which takes four times as long.
            size = len(body) * 4 if is_json_object(body) else len(body)
            fields = await beside(size, _parse, body, content_type)
            del body
            yield Form(fields)
    finally:
        for _, file in files:
            await file.close()
        allowance.give_back()


@asynccontextmanager
async def read_body(request: Request, limits: FormLimits) -> AsyncIterator[bytes]:
    """Read a body that is no form, as large as a form's fields; raise TooLargeError, after it was read."""
    stream, allowance = request.stream(), Allowance(limits)
    try:
        yield bytes(await _refused_at_the_end(stream, _read(stream, allowance)))
    finally:
        allowance.give_back()


async def drain(stream: AsyncIterator[bytes]) -> None:
    """Read what is left of a body and drop it; give up after 30 s."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in stream:
                pass
    except TimeoutError:
        return


async def _refused_at_the_end(stream: AsyncIterator[bytes], reading: Awaitable[T]) -> T:
    try:
        return await reading
    except (BadFormError, TooLargeError, BusyError):
        await drain(stream)
        raise
    except (OSError, MemoryError, RuntimeError) as error:
        lacks = shortage(error)
        if lacks is None:
            raise
        await drain(stream)
        raise ShortError(f"a form can't be taken here: {lacks}") from error


async def _read(stream: AsyncIterator[bytes], allowance: Allowance) -> bytearray:
    # One buffer that grows: chunks that are joined at the end would be in memory twice.
    body = bytearray()
    try:
        async for chunk in stream:
            allowance.take(len(chunk))
            body += chunk
    except BaseException:
        # The error keeps this frame, and so the body, for as long as the rest is drained.
        body.clear()
        raise
    return body


def _parse(body: bytearray, content_type: str) -> dict[str, str]:
    if content_type == _USUAL_TYPE:
        return parse_urlencoded(body)
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.endswith(("/json", "+json")) and is_json_object(body):
        return parse_json_form(body)
    return parse_urlencoded(body, charset_of(content_type))
