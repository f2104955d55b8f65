"""The calls that are made thousands of times a second: found in a dictionary of their paths, before any route is tried.

They are calls like all others, with the same endpoints, doors, dialects and refusals. What they are spared is what the
framework does for a request of which it knows nothing: it tries one pattern after another, and wraps what it finds.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.http.guarded_calls import Endpoint

Handler = Callable[[Request, Exception], Awaitable[Response]]


class HotCalls:
    """Answers what is in the dictionary, and passes on all else, such as methods that no call has."""

    def __init__(
        self,
        app: ASGIApp,
        calls: Mapping[str, Endpoint],
        methods: Collection[str],
        handlers: Mapping[type[Exception], Handler],
    ) -> None:
        """`handlers` make answers of errors; one that has none is ours, and goes on to whoever answers those."""
        self._app = app
        self._calls = calls
        self._methods = frozenset(methods)
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        endpoint = self._calls.get(scope["path"]) if scope["type"] == "http" else None
        if endpoint is None or scope["method"] not in self._methods:
            await self._app(scope, receive, send)
            return
        request = HotRequest(scope, receive, send)
        try:
            answer = await endpoint(request)
        except Exception as error:
            handler = next((self._handlers[kind] for kind in type(error).__mro__ if kind in self._handlers), None)
            if handler is None:
                raise
            answer = await handler(request, error)
        await answer(scope, receive, send)


class HotRequest(Request):
    """A request whose headers are looked up, where Starlette's goes over all of them for each."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        super().__init__(scope, receive, send)
        self._headers = HotHeaders(scope["headers"])


class HotHeaders(Headers):
    """Headers as a server gives them, with names in lower case; of repeated ones `get` returns the first."""

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        super().__init__(raw=raw)
        self._first = dict(reversed(raw))

    def __getitem__(self, key: str) -> str:
        """Return a header's value; raise KeyError."""
        return self._first[_key_of(key)].decode("latin-1")

    def get(self, key: str, default: Any = None) -> Any:
        """Return a header's value, or the default."""
        value = self._first.get(_key_of(key))
        return default if value is None else value.decode("latin-1")

    def __contains__(self, key: object) -> bool:
        """Whether there is a header of that name."""
        return isinstance(key, str) and _key_of(key) in self._first

    def getlist(self, key: str) -> list[str]:
        """Return all values of a header."""
        if key not in self:
            return []
        return [self[key]] if len(self._first) == len(self._list) else super().getlist(key)


@lru_cache
def _key_of(name: str) -> bytes:
    """Write a name that our code asks for as it stands in `raw`."""
    return name.lower().encode("latin-1")
