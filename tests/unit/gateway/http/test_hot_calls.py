"""A hot call is answered as any other: by the framework's routes or before them, there is no difference."""

import asyncio
import errno
import logging
import math
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from broker_setup.errors import BrokerUnavailableError
from broker_setup.process.beside import LARGE_BYTES
from gateway.callers.door import NotLoggedInError
from gateway.http.answer_room import share_of
from gateway.http.call_counts import CallCount, CallCounts
from gateway.http.dialects import Dialects
from gateway.http.envelope import success, success_of
from gateway.http.hot_calls import HotCalls, HotHeaders
from gateway.http.refusals import IllFormedError, OverLimitError, QueueNotFoundError, WrongMethodError
from gateway.http.routes import application
from gateway.http.shared_room import SharedRoom

HOT = ("submit", "get_submission", "put_result", "get_submissions", "put_results")
ERRORS: dict[str, Exception] = {
    "method": WrongMethodError("Queue requests should use HTTP POST"),
    "queue": QueueNotFoundError.of("<nowhere>"),
    "form": IllFormedError("xqueue_body is missing"),
    "large": OverLimitError("too large"),
    "stranger": NotLoggedInError(),
    "away": BrokerUnavailableError("away"),
    "short": OSError(errno.ENOSPC, "no space left"),
    "gone": ClientDisconnect(),
    "mistake": ValueError("a mistake of ours"),
}
FORMS = (
    "/xqueue/{}/",
    "/xqueue/{}",
    "//xqueue//{}//",
    "/xqueue/{}/x",
    "/{}/",
    "/xqueue/%73{}/",
    "/xqueue/{}%2f",
    "/xqueue%2f{}/",
)


async def answer(request: Request) -> Response:
    """Do what the query says."""
    what = request.query_params.get("do", "")
    if what in ERRORS:
        raise ERRORS[what]
    if what == "stream":
        return await success_of(LARGE_BYTES + 1, lambda: ["1", "2"])
    if what == "cookie":
        kept = success("with a cookie")
        kept.set_cookie("sessionid", "new")
        return kept
    assert share_of(request).fits(1)
    return success([request.method, request.url.path, request.headers.getlist("x-two"), dict(request.query_params)])


def served(*, hot: bool) -> HotCalls:
    calls: Any = SimpleNamespace(guarded=lambda call, endpoint: endpoint)
    for name in ("login", "logout", "status", *HOT, "get_queuelen", "extend_lease", "release_submission", "download"):
        setattr(calls, name, answer)
    calls.openapi = calls.healthz = calls.readyz = answer
    app = application(
        dialects=Dialects({}, None),
        guard=calls,
        session=calls,
        lms=calls,
        grader=calls,
        bulk=calls,
        lease=calls,
        files=calls,
        operation=calls,
        answers=SharedRoom(math.inf, "MAX_ANSWERS_SIZE", "answers"),
        counts=CallCounts(CallCount),
        lifespan=None,  # type: ignore[arg-type]
    )
    if not hot:
        app.calls = {}
    return app


async def outcome(app: HotCalls, method: str, raw_path: str, query: str = "", accept: str = "*/*") -> Any:
    """Return all that the application sends, and the error that it leaves to the server."""
    scope = {
        "type": "http",
        "method": method,
        "path": raw_path.replace("%73", "s").replace("%2f", "/"),
        "raw_path": raw_path.encode(),
        "query_string": query.encode(),
        "headers": [(b"host", b"xqueue"), (b"accept", accept.encode()), (b"x-two", b"1"), (b"x-two", b"2")],
        "client": ("192.0.2.1", 1),
        "server": ("xqueue", 80),
        "scheme": "http",
        "http_version": "1.1",
    }
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    left = [{"type": "http.request"}]

    async def receive() -> Any:
        # Then the client waits.
        return left.pop() if left else await asyncio.Event().wait()

    try:
        await app(scope, receive, send)
    except Exception as error:  # noqa: BLE001
        return sent, repr(error)
    return sent, ""


async def same(*asked: str) -> Any:
    with_hot, without = await outcome(served(hot=True), *asked), await outcome(served(hot=False), *asked)
    assert with_hot == without, asked
    return with_hot


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_of_a_hot_calls_path_is_answered_as_the_routes_do(form: str) -> None:
    apps = served(hot=True), served(hot=False)
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
    for name, method in product(HOT, methods):
        path = form.format(name.removeprefix("s") if "%73" in form else name)
        first, second = [await outcome(app, method, path, "a=1&a=2") for app in apps]
        assert first == second, (method, path)


@pytest.mark.parametrize("do", [*ERRORS, "stream", "cookie", ""])
@pytest.mark.parametrize("accept", ["*/*", "application/json"])
async def test_answers_and_errors_are_those_that_the_routes_give(
    do: str, accept: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        sent, error = await same("POST", "/xqueue/submit/", f"do={do}", accept)
    assert sent[0]["status"] == {"mistake": 500, "away": 503, "short": 503}.get(do, sent[0]["status"])
    assert bool(error) == (do == "mistake")
    said = [record.getMessage() for record in caplog.records]
    assert said[: len(said) // 2] == said[len(said) // 2 :]


async def test_hot_calls_never_come_to_the_routes(monkeypatch: pytest.MonkeyPatch) -> None:
    app = served(hot=True)
    routes_of(app).clear()
    for name, slash in product(HOT, ("/", "")):
        sent, _ = await outcome(app, "POST", f"//xqueue/{name}{slash}")
        assert sent[0]["status"] == 200, name
    assert (await outcome(app, "POST", "/xqueue/get_queuelen/"))[0][0]["status"] == 404
    assert (await outcome(app, "OPTIONS", "/xqueue/submit/"))[0][0]["status"] == 404
    assert set(HOT) < {path.split("/")[2] for path in _paths(served(hot=True))}


def routes_of(app: HotCalls) -> list[BaseRoute]:
    return app.rest.router.routes


def _paths(app: HotCalls) -> list[str]:
    return [route.path for route in routes_of(app) if isinstance(route, Route) and route.path.startswith("/xqueue/")]


@pytest.mark.parametrize(
    "raw",
    [
        [],
        [(b"accept", b"*/*")],
        [(b"cookie", b"a=1"), (b"accept", b"\xe9"), (b"cookie", b"b=2")],
        [(b"authorization", b"Basic x"), (b"authorization", b"Bearer y"), (b"authorization", b"")],
    ],
)
def test_headers_are_looked_up_as_the_framework_does(raw: list[tuple[bytes, bytes]]) -> None:
    ours, theirs = HotHeaders(raw), Headers(raw=raw)
    for name in ("accept", "Accept", "COOKIE", "authorization", "x-none"):
        assert (ours.get(name), ours.getlist(name), name in ours) == (
            theirs.get(name),
            theirs.getlist(name),
            name in theirs,
        )
    assert (ours, list(ours), ours.items()) == (theirs, list(theirs), theirs.items())
    with pytest.raises(KeyError):
        ours["x-none"]
