"""Forms for tests: their parts, and a server that hands them over in chunks."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.types import Message

from gateway.http.forms import (
    FormLimits,
    read_form,
)

LIMITS = FormLimits(fields=10_000, file=5_000, files_total=20_000, files=3)


URLENCODED = "application/x-www-form-urlencoded"


MULTIPART = "multipart/form-data; boundary=limit"


class Sender:
    """An ASGI server that hands over `chunks` and notes whether all of them were fetched."""

    def __init__(self, content_type: str | None, chunks: Sequence[bytes], *, hangs_up: bool = False) -> None:
        self.left: list[Message] = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
        if hangs_up:
            self.left.append({"type": "http.disconnect"})
        elif self.left:
            self.left[-1]["more_body"] = False
        else:
            self.left.append({"type": "http.request", "body": b"", "more_body": False})
        headers = [] if content_type is None else [(b"content-type", content_type.encode("latin-1"))]
        self.request = Request({"type": "http", "method": "POST", "headers": headers}, self._receive)

    async def _receive(self) -> Message:
        assert self.left, "asked for more than there is: a real server would wait for ever"
        return self.left.pop(0)


async def read(
    content_type: str | None, *chunks: bytes, limits: FormLimits = LIMITS
) -> tuple[dict[str, str], dict[str, bytes]]:
    """Read a form; whatever comes of it, the whole body must have been fetched."""
    sender = Sender(content_type, chunks)
    try:
        async with read_form(sender.request, limits) as form:
            return dict(form.fields), {name: file.read() for name, file in form.files.items()}
    finally:
        assert not sender.left, "answered before the whole body was read"


def part(name: str, content: bytes, *, filename: str | None = None, boundary: str = "limit") -> bytes:
    file = "" if filename is None else f'; filename="{filename}"'
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{file}\r\n\r\n'
    return head.encode() + content + b"\r\n"


END = b"--limit--\r\n"
