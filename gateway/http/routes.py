"""The route table: every path of the gateway, in one place."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Lifespan

from broker_setup.process.shortages import shortage
from broker_setup.wire.file_links import LINK_PATH
from gateway.callers.door import account_of
from gateway.callers.origin import address_of
from gateway.http.answer_room import AnswerRoom
from gateway.http.bulk_calls import BulkCalls
from gateway.http.call_counts import CallCounts, counted
from gateway.http.dialects import Dialects
from gateway.http.envelope import refusal
from gateway.http.file_calls import FileCalls
from gateway.http.forms import ShortError
from gateway.http.grader_calls import GraderCalls
from gateway.http.guarded_calls import Endpoint, GuardedCalls
from gateway.http.hot_calls import Handler, HotCalls
from gateway.http.lease_calls import LeaseCalls
from gateway.http.lms_calls import LmsCalls
from gateway.http.operation_calls import OPENAPI_PATH, OperationCalls
from gateway.http.refusals import REFUSED, RefusedError
from gateway.http.refused_calls import RefusedCalls
from gateway.http.session_calls import SessionCalls
from gateway.http.shared_room import SharedRoom

log = logging.getLogger(__name__)

SERVER_ERROR = 500

ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True)
class Call:
    """A call of LMSs or graders; one that is hot is made again and again, and found before all others."""

    endpoint: Endpoint
    is_hot: bool = False


def application(
    *,
    dialects: Dialects,
    guard: GuardedCalls,
    session: SessionCalls,
    lms: LmsCalls,
    grader: GraderCalls,
    bulk: BulkCalls,
    lease: LeaseCalls,
    files: FileCalls,
    operation: OperationCalls,
    answers: SharedRoom,
    counts: CallCounts,
    lifespan: Lifespan[Starlette],
) -> HotCalls:
    """Lay out the paths and map errors to answers, each once; each call is counted in `counts`."""
    guarded = {
        "submit": Call(lms.submit, is_hot=True),
        "get_queuelen": Call(grader.get_queuelen),
        "get_submission": Call(grader.get_submission, is_hot=True),
        "put_result": Call(grader.put_result, is_hot=True),
        "get_submissions": Call(bulk.get_submissions, is_hot=True),
        "put_results": Call(bulk.put_results, is_hot=True),
        "extend_lease": Call(lease.extend_lease),
        "release_submission": Call(lease.release_submission),
    }
    calls: dict[str, Endpoint] = {
        "login": session.login,
        "logout": session.logout,
        "status": session.status,
        **{name: guard.guarded(name, call.endpoint) for name, call in guarded.items()},
        "files": files.download,
    }
    ready = {name: counted(_in_dialect(endpoint, dialects), counts[name]) for name, endpoint in calls.items()}
    download = ready.pop("files")
    table = _with_and_without_slash({f"/xqueue/{name}": endpoint for name, endpoint in ready.items()})
    hot = {f"/xqueue/{name}{slash}" for name, call in guarded.items() if call.is_hot for slash in ("", "/")}
    routes = [
        *(Route(path, endpoint, methods=ANY_METHOD) for path, endpoint in table.items()),
        Route(LINK_PATH + "{token}/{name}", download, methods=["GET", "HEAD"]),
        Route(OPENAPI_PATH, operation.openapi),
        Route("/healthz", operation.healthz),
        Route("/readyz", operation.readyz),
    ]
    handlers: dict[type[Exception], Handler] = {
        **dict.fromkeys(REFUSED, _refusing(dialects, RefusedCalls(), frozenset(f"/xqueue/{name}" for name in ready))),
        # Nobody is there to read it.
        ClientDisconnect: _saying("The client has gone", 400, dialects),
        Exception: _saying("Internal error", 500, dialects),
    }
    rest = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(AnswerRoom, room=answers)],
        exception_handlers={
            404: _saying("Not found", 404, dialects),
            405: _saying("Method not allowed", 405, dialects),
            **handlers,
        },
    )
    rest.router.redirect_slashes = False
    return HotCalls(rest, {path: table[path] for path in hot}, ANY_METHOD, handlers, answers)


def _in_dialect(endpoint: Endpoint, dialects: Dialects) -> Endpoint:
    async def call(request: Request) -> Response:
        try:
            answer = await endpoint(request)
        except (OSError, MemoryError, RuntimeError) as error:
            # No fault of the caller's nor of ours: it may go well the next time.
            if lacks := shortage(error):
                raise ShortError(f"it can't be done here: {lacks}") from error
            raise
        return dialects.answer(request, answer)

    return call


def _with_and_without_slash(calls: Mapping[str, Endpoint]) -> dict[str, Endpoint]:
    return {f"{path}/": endpoint for path, endpoint in calls.items()} | {
        path: _without_slash(endpoint) for path, endpoint in calls.items()
    }


def _without_slash(endpoint: Endpoint) -> Endpoint:
    async def call(request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"{request.url.path}/{query}", status_code=301)
        # A redirected POST loses its body, so it is taken as it is.
        return await endpoint(request)

    return call


def _refusing(dialects: Dialects, refused_calls: RefusedCalls, calls: frozenset[str]) -> Handler:
    async def refused(request: Request, error: Exception) -> Response:
        answer = dialects.refuse(request, error)
        if isinstance(error, RefusedError):
            refused_calls.note(account_of(request), address_of(request), request.url.path, error)
        if answer.status_code >= SERVER_ERROR:
            # No more of the path than tells the call: a link to a file is a secret.
            kind = kind_of(request.url.path, error, calls)
            log.warning("%.40s refused: %s", request.url.path, error, extra={"kind": kind})
        return answer

    return refused


def kind_of(path: str, error: Exception, calls: frozenset[str]) -> str:
    """Name the call and the error: one of few kinds, whatever a stranger asks for, so that no flood hides others."""
    call = path.rstrip("/")
    return f"{call if call in calls else 'another path'}: {type(error).__name__}"


def _saying(text: str, status: int, dialects: Dialects) -> Handler:
    async def said(request: Request, error: Exception) -> Response:
        return dialects.answer(request, refusal(text, status))

    return said
