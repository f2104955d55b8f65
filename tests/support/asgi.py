"""Requests as a server hands them to the application, made by hand."""

import asyncio
import math
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from starlette.requests import Request

from gateway.http.answer_room import AnswerShare
from gateway.http.shared_room import SharedRoom

ROOM = SharedRoom(math.inf, "MAX_ANSWERS_SIZE", "answers")

Message = MutableMapping[str, Any]


def posted(body: bytes, content_type: str | None = None) -> Request:
    """A POST whose body came whole, from a client that stays."""
    headers = [(b"content-type", content_type.encode())] if content_type else []
    return _request("POST", _receiving({"type": "http.request", "body": body}), headers)


def hung_up() -> Request:
    """A GET of a client that has gone."""
    return _request("GET", _receiving({"type": "http.request"}, {"type": "http.disconnect"}))


def staying() -> Request:
    """A GET of a client that waits for its answer."""
    return _request("GET", _receiving({"type": "http.request"}))


def _request(
    method: str, receive: Callable[[], Awaitable[Message]], headers: Sequence[tuple[bytes, bytes]] = ()
) -> Request:
    scope = {"type": "http", "method": method, "path": "/", "query_string": b"", "headers": list(headers)}
    # As behind the door, to a caller who may do everything.
    return Request(scope | {"state": {"permission": lambda queue: True, "answer_share": AnswerShare(ROOM)}}, receive)


def _receiving(*messages: Message) -> Callable[[], Awaitable[Message]]:
    left = list(messages)

    async def receive() -> Message:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return receive
