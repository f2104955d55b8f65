"""Reads multipart forms, files included, as old and new clients write them."""

import binascii
import re
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass
from email.message import Message

from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser, MultipartPart

from broker_setup.errors import XQueueError
from broker_setup.process.beside import turn_here
from gateway.http.form_limits import MAX_FIELDS, Allowance, BadFormError, FormLimits, TooLargeError
from gateway.http.form_text import CHARSET_FIELD, known_charset, text_of

# Spaces and line ends in a part that is base64, where they mean nothing.
_SPACE = re.compile(rb"[ \t\r\n]+")
_BASE64_GROUP = 4
# In one header, those of a file name included. The library reads each in time that grows with the header's size: 4 KiB
# of semicolons take 40 ms, and any stranger may send a part of nothing else to login/.
_MAX_SEMICOLONS = 100
# Extended ones (name*=), each of which takes ten times as long.
_MAX_EXTENDED = 16


@dataclass(frozen=True)
class Field:
    """A part that is no file, as it came; `charset` is what the part says of itself."""

    name: bytes
    value: bytes | bytearray
    charset: str | None


class _Parser(MultiPartParser):
    """Starlette's within limits; by itself it takes a form that is cut off, and guesses where it is not UTF-8."""

    # A larger file goes to disk, so that a form of many small ones holds little memory.
    spool_max_size = 64 * 1024

    def __init__(
        self, content_type: str, stream: AsyncIterator[bytes], limits: FormLimits, allowance: Allowance
    ) -> None:
        # Under Latin-1 every byte is a character, so a part's name keeps its bytes; of two charsets the last counts.
        headers = Headers({"content-type": f"{content_type}; charset=latin-1"})
        body = self._whole(stream)
        super().__init__(headers, body, max_files=limits.files, max_fields=MAX_FIELDS, max_part_size=limits.fields)
        self.fields: list[Field] = []
        self.files: list[tuple[bytes, UploadFile]] = []
        self._is_complete = False
        self._limits = limits
        self._allowance = allowance
        self._file_size = self._files_size = self._beside = 0
        self._base64: bytes | None = None

    def on_part_begin(self) -> None:
        self._file_size, self._base64 = 0, None
        super().on_part_begin()

    def on_headers_finished(self) -> None:
        part, extended = self._current_part, None
        _check_parameters(part.content_disposition or b"")
        if part.content_disposition and b"*" in part.content_disposition:
            if part.content_disposition.count(b"*") > _MAX_EXTENDED:
                raise BadFormError(f"a header of the form has more than {_MAX_EXTENDED} extended parameters")
            extended, part.content_disposition = _in_plain(part.content_disposition)
        if _header(part, b"content-transfer-encoding").strip().lower() == b"base64":
            self._base64 = b""
        super().on_headers_finished()
        if extended is not None:
            part.field_name = extended.decode("latin-1")

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        # Counted as it comes, so that nothing over a limit is kept until the end.
        size = end - start
        if self._current_part.file is None:
            self._allowance.take(size)
        else:
            self._file_size += size
            self._files_size += size
            if self._file_size > self._limits.file:
                name = text_of(self._current_part.field_name.encode("latin-1"))
                raise TooLargeError(f"file {name!r} has more than {self._limits.file} bytes")
            if self._files_size > self._limits.files_total:
                raise TooLargeError(f"the files have more than {self._limits.files_total} bytes")
            self._allowance.take_of_disk(size)
        if self._base64 is not None:
            encoded = self._base64 + _SPACE.sub(b"", data[start:end])
            whole = len(encoded) - len(encoded) % _BASE64_GROUP
            data, self._base64 = _from_base64(encoded[:whole]), encoded[whole:]
            start, end = 0, len(data)
        super().on_part_data(data, start, end)

    def on_part_end(self) -> None:
        if self._base64:
            raise BadFormError("a part is not base64")
        part = self._current_part
        name = part.field_name.encode("latin-1")
        if part.file:
            self.files.append((name, part.file))
            super().on_part_end()
        else:
            charset = _parameter(_header(part, b"content-type").decode("latin-1"), "charset")
            self.fields.append(Field(name, part.data, known_charset(charset)))

    def on_end(self) -> None:
        self._is_complete = True

    def drop(self) -> None:
        """Let go of what was read: the parser of a form that was not read to its end stays until it is collected."""
        self.fields.clear()
        self._current_part = MultipartPart()

    async def _whole(self, stream: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        async for chunk in stream:
            # All bytes count, also those of no part: preamble, epilogue, boundaries and the parts' headers.
            self._beside += len(chunk)
            if self._beside > self._limits.fields + self._limits.files_total:
                raise TooLargeError(f"more than {self._limits.fields + self._limits.files_total} bytes")
            await turn_here(len(chunk))
            yield chunk
        if not self._is_complete:
            raise MultiPartException("the form is cut off")


async def parse_multipart(
    content_type: str, stream: AsyncIterator[bytes], limits: FormLimits, allowance: Allowance
) -> tuple[list[Field], list[tuple[bytes, UploadFile]]]:
    """Return fields and files; raise BadFormError, TooLargeError or BusyError, and then no file is left open."""
    _check_parameters(content_type.encode("latin-1", "replace"))
    parser = _Parser(content_type, stream, limits, allowance)
    try:
        await parser.parse()
    except BaseException as error:
        parser.drop()
        if isinstance(error, MultiPartException):
            raise _explain(error.message, limits) from error
        if isinstance(error, UnicodeError):
            raise BadFormError("the head of a part can't be read") from error
        raise
    return parser.fields, parser.files


def texts_of(fields: list[Field], content_type: str) -> dict[str, str]:
    """Decode the fields: as UTF-8, else by the charset of the part, the form's `_charset_` or its Content-Type."""
    named = next((field.value for field in fields if field.name == CHARSET_FIELD.encode()), b"")
    charset = known_charset(named.decode("ascii", "replace")) or charset_of(content_type)
    return {text_of(field.name, charset): text_of(field.value, field.charset or charset) for field in fields}


def charset_of(content_type: str) -> str | None:
    """Return the codec that a Content-Type names, if it is one in which people write."""
    return known_charset(_parameter(content_type, "charset"))


def _check_parameters(header: bytes) -> None:
    if header.count(b";") > _MAX_SEMICOLONS:
        raise BadFormError(f"a header of the form has more than {_MAX_SEMICOLONS} parameters")


def _explain(message: str, limits: FormLimits) -> XQueueError:
    if message.startswith("Too many files"):
        return TooLargeError(f"more than {limits.files} files")
    if message.startswith("Too many fields"):
        return TooLargeError(f"more than {MAX_FIELDS} fields")
    return BadFormError(message)


def _header(part: MultipartPart, name: bytes) -> bytes:
    return next((value for key, value in part.item_headers if key == name), b"")


def _from_base64(encoded: bytes) -> bytes:
    try:
        return binascii.a2b_base64(encoded, strict_mode=True) if encoded else b""
    except binascii.Error as error:
        raise BadFormError("a part is not base64") from error


def _parameter(content_type: str, name: str) -> str | None:
    _, found, value = content_type.lower().partition(f"{name}=")
    return value.partition(";")[0] if found else None


def _in_plain(disposition: bytes) -> tuple[bytes | None, bytes]:
    """Read name*=utf-8''... (RFC 2231; LMSs before 2020): the name in UTF-8, and a disposition with a plain one."""
    message = Message()
    message["content-disposition"] = disposition.decode("latin-1")
    name = message.get_param("name", None, "content-disposition")
    if name is None:
        return None, disposition
    file = b'; filename="file"' if message.get_param("filename", None, "content-disposition") is not None else b""
    if isinstance(name, tuple):
        charset, _, escaped = name
        raw = text_of(escaped.encode("latin-1"), known_charset(charset)).encode()
    else:
        raw = name.encode("latin-1")
    return raw, b'form-data; name="field"' + file
