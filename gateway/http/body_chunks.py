"""A request's body as it comes; Starlette's stream is a generator, and costs a small form as much as parsing it."""

from typing import Self

from starlette.requests import ClientDisconnect
from starlette.types import Receive


class BodyChunks:
    """The chunks of a body; who parses it and who drains it share one, as each chunk comes only once."""

    __slots__ = ("_receive", "is_over")

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.is_over = False

    async def next(self) -> bytes:
        """Return the next chunk, which may be empty; note in `is_over` if it is the last. Raise ClientDisconnect."""
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientDisconnect
        self.is_over = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self.is_over:
            if chunk := await self.next():
                return chunk
        raise StopAsyncIteration
