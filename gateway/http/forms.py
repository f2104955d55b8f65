"""Reads forms, urlencoded, multipart or JSON, within limits; a body over one is read to its end, then refused."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, BinaryIO, TypeVar

from starlette.requests import Request

from broker_setup.process.beside import MIDDLING_BYTES, beside
from broker_setup.process.shortages import shortage
from gateway.http.body_chunks import BodyChunks
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
_MULTIPART = "multipart/form-data"
# It is read value by value, which takes so many times as long.
_JSON_TIMES = 4

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


class FormReading:
    """A form that is read where its block begins, and whose temporary files and memory are let go of at its end."""

    __slots__ = ("_allowance", "_chunks", "_content_type", "_files", "_limits")

    def __init__(self, request: Request, limits: FormLimits) -> None:
        self._chunks = BodyChunks(request.receive)
        self._content_type = request.headers.get("content-type", "")
        self._limits = limits
        self._allowance = Allowance(limits)
        self._files: list[tuple[bytes, UploadFile]] = []

    async def __aenter__(self) -> Form:
        try:
            if self._content_type[: len(_MULTIPART)].lower() == _MULTIPART:
                return await self._read_multipart()
            body = bytearray(await self._chunks.next())
            if self._chunks.is_over and _effort(body) <= MIDDLING_BYTES:
                # As nearly all are; what follows would do the same.
                self._allowance.take(len(body))
                return Form(_parse(body, self._content_type))
            await _refused_at_the_end(self._chunks, _read(body, self._chunks, self._allowance))
            return Form(await beside(_effort(body), _parse, body, self._content_type))
        except BaseException:
            await self._close()
            raise

    async def __aexit__(self, *_: object) -> None:
        if self._files:
            await self._close()
        else:
            self._allowance.give_back()

    async def _read_multipart(self) -> Form:
        parsing = parse_multipart(self._content_type, self._chunks, self._limits, self._allowance)
        parts, self._files = await _refused_at_the_end(self._chunks, parsing)
        fields = await beside(self._allowance.taken, texts_of, parts, self._content_type)
        return Form(fields, {text_of(name): file.file for name, file in self._files})

    async def _close(self) -> None:
        try:
            for _, file in self._files:
                await file.close()
        finally:
            self._allowance.give_back()


def read_form(request: Request, limits: FormLimits) -> FormReading:
    """Read the request's form, whatever its Content-Type says, and drop its temporary files at the end.

    Its block raises TooLargeError, BadFormError, BusyError or ShortError, after the body was read.
    """
    return FormReading(request, limits)


@asynccontextmanager
async def read_body(request: Request, limits: FormLimits) -> AsyncIterator[bytes]:
    """Read a body that is no form, as large as a form's fields; raise TooLargeError, after it was read."""
    chunks, allowance = BodyChunks(request.receive), Allowance(limits)
    try:
        body = bytearray()
        await _refused_at_the_end(chunks, _read(body, chunks, allowance))
        yield bytes(body)
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


async def _read(body: bytearray, chunks: BodyChunks, allowance: Allowance) -> None:
    """Read on, behind what of a body is there already."""
    # One buffer that grows: chunks that are joined at the end would be in memory twice.
    try:
        allowance.take(len(body))
        while not chunks.is_over:
            chunk = await chunks.next()
            allowance.take(len(chunk))
            body += chunk
    except BaseException:
        # It would stay in memory for as long as the rest is drained.
        body.clear()
        raise


def _effort(body: bytearray) -> int:
    """Say how many bytes of an urlencoded form take as long to read."""
    return len(body) * _JSON_TIMES if is_json_object(body) else len(body)


def _parse(body: bytearray, content_type: str) -> dict[str, str]:
    if content_type == _USUAL_TYPE:
        return parse_urlencoded(body)
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type.endswith(("/json", "+json")) and is_json_object(body):
        return parse_json_form(body)
    return parse_urlencoded(body, charset_of(content_type))
