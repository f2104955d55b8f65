"""Answers that are there as a whole go out in one write; all others as uvicorn sends them."""

from functools import lru_cache
from typing import Any

from starlette.responses import Response
from starlette.types import Message, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_LINE_END = b"\r\n"
# What may stand in a line of a head; anything else could end the line, and the rest would be a header of its own.
_IN_A_LINE = bytes([*b"\t", *range(0x20, 0x7F), *range(0x80, 0x100)])
# Where these are given, a connection has to be treated in another way than usual.
_UNUSUAL = (b"connection", b"transfer-encoding")
# Heads that many answers have, until the next second: they differ in the length of what follows.
_HEADS_IN_MIND = 100


class OneWrite:
    """The `send` of one request: keeps the head until it is seen whether the first piece of the body is all of it.

    By itself uvicorn writes twice, and matches two patterns with each header: a tenth of what a submit costs.
    """

    __slots__ = ("_cycle", "_head", "_send")

    def __init__(self, send: Send) -> None:
        """`send` is uvicorn's, a method of what it has of the request and its answer."""
        self._send = send
        self._cycle: RequestResponseCycle = send.__self__  # type: ignore[attr-defined]
        self._head: Message | None = None

    async def __call__(self, message: Message) -> None:
        """Send a part of the answer."""
        head = self._head
        if head is None:
            if message["type"] == "http.response.start":
                self._head = message
                # A client that waits for leave to send its body is answered now.
                self._cycle.waiting_for_100_continue = False
            else:
                await self._send(message)
            return
        self._head = None
        written = whole_answer(self._cycle, head, message)
        if written is None:
            await self._send(head)
            await self._send(message)
            return
        if self._cycle.flow.write_paused:
            await self._drained()
        if not self._cycle.disconnected:
            _finish(self._cycle, written)

    async def answer(self, answer: Response) -> None:
        """Send an answer of which only few differ in their heads, and which have no secret there."""
        cycle, body = self._cycle, bytes(answer.body)
        headers = (*cycle.default_headers, *answer.raw_headers)
        head = _usual_head(answer.status_code, headers, cycle.keep_alive)
        if head is None or cycle.scope["method"] == "HEAD":
            await answer(cycle.scope, cycle.receive, self)  # type: ignore[arg-type]
        else:
            cycle.waiting_for_100_continue = False
            if cycle.flow.write_paused:
                await self._drained()
            if not cycle.disconnected:
                _finish(cycle, head + body)

    async def _drained(self) -> None:
        if not self._cycle.disconnected:
            await self._cycle.flow.drain()


def whole_answer(cycle: RequestResponseCycle, head: Message, body: Message) -> bytes | None:
    """Write an answer whose whole body is there, and its size in the head; None if it is not like that."""
    content, headers = body.get("body", b""), (*cycle.default_headers, *head["headers"])
    given = dict(headers)
    if body.get("more_body") or given.get(b"content-length") != b"%d" % len(content) or cycle.scope["method"] == "HEAD":
        return None
    written = _head(head["status"], headers, cycle.keep_alive)
    return None if written is None else written + content


def _head(status: int, headers: tuple[tuple[bytes, bytes], ...], keep_alive: bool) -> bytes | None:  # noqa: FBT001
    """Write the head of an answer; None if it is unusual."""
    given = dict(headers)
    if any(name in given for name in _UNUSUAL):
        return None
    lines = [b"%b: %b" % header for header in headers]
    if not keep_alive:
        lines.append(b"connection: close")
    written = _LINE_END.join(lines)
    if len(written.translate(None, _IN_A_LINE)) != len(_LINE_END) * (len(lines) - 1):
        raise RuntimeError("a header of an answer has a character that no header may have")
    return b"%b%b\r\n\r\n" % (STATUS_LINE[status], written)


_usual_head = lru_cache(_HEADS_IN_MIND)(_head)


def _finish(cycle: Any, written: bytes) -> None:
    cycle.transport.write(written)
    cycle.response_started = cycle.response_complete = True
    cycle.message_event.set()
    if not cycle.keep_alive:
        cycle.transport.close()
    cycle.on_response()
