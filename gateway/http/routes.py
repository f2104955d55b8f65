"""The route table: every path of the gateway, in one place."""

import logging

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import Lifespan

from broker_setup.errors import BrokerUnavailableError, UnroutableError
from gateway.accounts import Accounts
from gateway.files import LINK_PATH, StorageError
from gateway.http.envelope import refusal
from gateway.http.file_calls import FileCalls
from gateway.http.grader_calls import GraderCalls
from gateway.http.health_calls import HealthCalls
from gateway.http.identity import Endpoint, with_account
from gateway.http.lms_calls import LmsCalls
from gateway.http.session_calls import SessionCalls
from gateway.leasing.results import UnknownSubmissionError, WrongKeyError

log = logging.getLogger(__name__)

ANY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def application(
    *,
    accounts: Accounts,
    session: SessionCalls,
    lms: LmsCalls,
    grader: GraderCalls,
    files: FileCalls,
    health: HealthCalls,
    lifespan: Lifespan[Starlette],
) -> Starlette:
    """Lay out the paths and map errors to answers, each once."""
    table: dict[str, Endpoint] = {
        "/xqueue/login": session.login,
        "/xqueue/logout": session.logout,
        "/xqueue/status": session.status,
        "/xqueue/submit": with_account(accounts, lms.submit),
        "/xqueue/get_queuelen": with_account(accounts, grader.get_queuelen),
        "/xqueue/get_submission": with_account(accounts, grader.get_submission),
        "/xqueue/put_result": with_account(accounts, grader.put_result),
    }
    routes = [
        *(Route(f"{path}/", endpoint, methods=ANY_METHOD) for path, endpoint in table.items()),
        *(Route(path, _without_slash(endpoint), methods=ANY_METHOD) for path, endpoint in table.items()),
        Route(LINK_PATH + "{token}/{name}", files.download, methods=["GET", "HEAD"]),
        Route("/healthz", health.healthz),
        Route("/readyz", health.readyz),
    ]
    app = Starlette(
        routes=routes,
        lifespan=lifespan,
        exception_handlers={
            404: _not_found,
            405: _not_allowed,
            BrokerUnavailableError: _unavailable,
            UnroutableError: _unavailable,
            StorageError: _unavailable,
            UnknownSubmissionError: _unknown_submission,
            WrongKeyError: _wrong_key,
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


async def _unavailable(request: Request, error: Exception) -> Response:
    log.warning("%s refused: %s", request.url.path, error)
    return refusal("The queue is unavailable at the moment, please try again", status=503)


async def _unknown_submission(request: Request, error: Exception) -> Response:
    return refusal("Submission does not exist")


async def _wrong_key(request: Request, error: Exception) -> Response:
    return refusal("Incorrect key for submission")


async def _not_found(request: Request, error: Exception) -> Response:
    return refusal("Not found", status=404)


async def _not_allowed(request: Request, error: Exception) -> Response:
    return refusal("Method not allowed", status=405)


async def _gone(request: Request, error: Exception) -> Response:
    # Nobody is there to read it.
    return refusal("The client has gone", status=400)


async def _unexpected(request: Request, error: Exception) -> Response:
    return refusal("Internal error", status=500)
