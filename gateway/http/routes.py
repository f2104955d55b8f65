"""The route table: every path of the gateway, in one place."""

import logging

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Lifespan

from gateway.files import LINK_PATH
from gateway.http.bulk_calls import BulkCalls
from gateway.http.envelope import refusal
from gateway.http.file_calls import FileCalls
from gateway.http.grader_calls import GraderCalls
from gateway.http.health_calls import HealthCalls
from gateway.http.identity import Door, Endpoint
from gateway.http.lease_calls import LeaseCalls
from gateway.http.lms_calls import LmsCalls
from gateway.http.openapi_call import OPENAPI_PATH, OpenApiCall
from gateway.http.refusals import REFUSED, explain, headers_of
from gateway.http.session_calls import SessionCalls
from gateway.http.unheeded_proxies import UnheededProxies

log = logging.getLogger(__name__)

SERVER_ERROR = 500
ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def application(
    *,
    door: Door,
    session: SessionCalls,
    lms: LmsCalls,
    grader: GraderCalls,
    bulk: BulkCalls,
    lease: LeaseCalls,
    files: FileCalls,
    health: HealthCalls,
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
    table: dict[str, Endpoint] = {
        "/xqueue/login": session.login,
        "/xqueue/logout": session.logout,
        "/xqueue/status": session.status,
        **{f"/xqueue/{call}": door.guarded(call, endpoint) for call, endpoint in guarded.items()},
    }
    routes = [
        *(Route(f"{path}/", endpoint, methods=ANY_METHOD) for path, endpoint in table.items()),
        *(Route(path, _without_slash(endpoint), methods=ANY_METHOD) for path, endpoint in table.items()),
        Route(LINK_PATH + "{token}/{name}", files.download, methods=["GET", "HEAD"]),
        Route(OPENAPI_PATH, OpenApiCall().openapi),
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        middleware=[Middleware(UnheededProxies)],
        exception_handlers={
            404: _not_found,
            405: _not_allowed,
            **dict.fromkeys(REFUSED, _refused),
            ClientDisconnect: _gone,
            Exception: _unexpected,
        },
    )
    app.router.redirect_slashes = False
    return app


def _without_slash(endpoint: Endpoint) -> Endpoint:
    async def call(request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            query = f"?{request.url.query}" if request.url.query else ""
            return RedirectResponse(f"{request.url.path}/{query}", status_code=301)
        # A redirected POST loses its body, so it is taken as it is.
        return await endpoint(request)

    return call


async def _refused(request: Request, error: Exception) -> Response:
    text, status = explain(error)
    if status >= SERVER_ERROR:
        log.warning("%s refused: %s", request.url.path, error)
    return refusal(text, status, headers_of(error))


async def _not_found(request: Request, error: Exception) -> Response:
    return refusal("Not found", status=404)


async def _not_allowed(request: Request, error: Exception) -> Response:
    return refusal("Method not allowed", status=405)


async def _gone(request: Request, error: Exception) -> Response:
    # Nobody is there to read it.
    return refusal("The client has gone", status=400)


async def _unexpected(request: Request, error: Exception) -> Response:
    return refusal("Internal error", status=500)
