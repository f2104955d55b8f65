"""The calls that are made thousands of times a second: found in a dictionary of their paths, before any route is tried.

They are calls like all others, with the same endpoints, doors, dialects and refusals. What they are spared is what the
framework does for a request of which it knows nothing: it tries one pattern after another, and wraps what it finds.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import lru_cache
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.callers.origin import UnheededProxies
from gateway.http.answer_room import AnswerShare
from gateway.http.envelope import EnvelopeResponse
from gateway.http.guarded_calls import Endpoint
from gateway.http.one_write import OneWrite
from gateway.http.plain_paths import with_plain_path
from gateway.http.shared_room import SharedRoom

Handler = Callable[[Request, Exception], Awaitable[Response]]


class HotCalls:
    """Answers what is in the dictionary, and passes on all else, such as methods that no call has."""

    def __init__(
        self,
        rest: Starlette,
        calls: Mapping[str, Endpoint],
        methods: Collection[str],
        handlers: Mapping[type[Exception], Handler],
        answers: SharedRoom,
    ) -> None:
        """`handlers` make answers of errors; what goes to that of Exception is a mistake of ours."""
        self.rest = rest
        self.calls = calls
        self._methods = frozenset(methods)
        self._handlers = handlers
        self._answers = answers
        self._proxies = UnheededProxies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, or whatever else the server asks."""
        if scope["type"] != "http":
            await self.rest(scope, receive, send)
            return
        self._proxies.look(scope)
        scope = with_plain_path(scope)
        endpoint = self.calls.get(scope["path"])
        if endpoint is None or scope["method"] not in self._methods:
            await self.rest(scope, receive, send)
            return
        share = scope.setdefault("state", {})["answer_share"] = AnswerShare(self._answers)
        request = HotRequest(scope, receive, send)
        try:
            try:
                answer = await endpoint(request)
            except Exception as error:
                kind = next(kind for kind in type(error).__mro__ if kind in self._handlers)
                answer = await self._handlers[kind](request, error)
                if kind is Exception:
                    # The server tells of it.
                    await answer(scope, receive, send)
                    raise
            if type(answer) is EnvelopeResponse and isinstance(send, OneWrite):
                await send.answer(answer)
            else:
                await answer(scope, receive, send)
        finally:
            share.give_back()


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
