"""The route table: every path of the gateway, in one place."""

import logging
from collections.abc import Awaitable, Callable

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Lifespan

from broker_setup.process.shortages import shortage
from gateway.callers.door import account_of
from gateway.callers.origin import UnheededProxies, address_of
from gateway.http.answer_room import AnswerRoom
from gateway.http.bulk_calls import BulkCalls
from gateway.http.dialects import Dialects
from gateway.http.envelope import refusal
from gateway.http.file_calls import FileCalls
from gateway.http.files import LINK_PATH
from gateway.http.forms import ShortError
from gateway.http.grader_calls import GraderCalls
from gateway.http.guarded_calls import Endpoint, GuardedCalls
from gateway.http.lease_calls import LeaseCalls
from gateway.http.lms_calls import LmsCalls
from gateway.http.operation_calls import OPENAPI_PATH, OperationCalls
from gateway.http.plain_paths import PlainPaths
from gateway.http.refusals import REFUSED, RefusedError
from gateway.http.refused_calls import RefusedCalls
from gateway.http.session_calls import SessionCalls
from gateway.http.shared_room import SharedRoom

log = logging.getLogger(__name__)

SERVER_ERROR = 500
Handler = Callable[[Request, Exception], Awaitable[Response]]

ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


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
    lifespan: Lifespan[Starlette],
) -> Starlette:
    """Lay out the paths and map errors to answers, each once."""
    guarded: dict[str, Endpoint] = {
        "submit": lms.submit,
        "get_queuelen": grader.get_queuelen,
        "get_submission": grader.get_submission,
        "put_result": grader.put_result,
        "get_submissions": bulk.get_submissions,
        "put_results": bulk.put_results,
        "extend_lease": lease.extend_lease,
        "release_submission": lease.release_submission,
    }
    calls: dict[str, Endpoint] = {
        "/xqueue/login": session.login,
        "/xqueue/logout": session.logout,
        "/xqueue/status": session.status,
        **{f"/xqueue/{call}": guard.guarded(call, endpoint) for call, endpoint in guarded.items()},
    }
    table = {path: _in_dialect(endpoint, dialects) for path, endpoint in calls.items()}
    routes = [
        *(Route(f"{path}/", endpoint, methods=ANY_METHOD) for path, endpoint in table.items()),
        *(Route(path, _without_slash(endpoint), methods=ANY_METHOD) for path, endpoint in table.items()),
        Route(LINK_PATH + "{token}/{name}", _in_dialect(files.download, dialects), methods=["GET", "HEAD"]),
        Route(OPENAPI_PATH, operation.openapi),
        Route("/healthz", operation.healthz),
        Route("/readyz", operation.readyz),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(UnheededProxies), Middleware(PlainPaths), Middleware(AnswerRoom, room=answers)],
        exception_handlers={
            404: _saying("Not found", 404, dialects),
            405: _saying("Method not allowed", 405, dialects),
            **dict.fromkeys(REFUSED, _refusing(dialects, RefusedCalls(), frozenset(table))),
            # Nobody is there to read it.
            ClientDisconnect: _saying("The client has gone", 400, dialects),
            Exception: _saying("Internal error", 500, dialects),
        },
    )
    app.router.redirect_slashes = False
    return app


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
