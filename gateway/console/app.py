"""The console's paths, in one place."""

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.console.following import Following


def application(following: Following) -> Starlette:
    """Lay out the paths."""

    async def healthz(_: Request) -> Response:
        """Say that the process serves."""
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        """Say whether what is shown is up to date, and if not, why."""
        problem = following.problem
        status, problems = ("not ready", [problem]) if problem else ("ready", [])
        return JSONResponse({"status": status, "problems": problems}, status_code=503 if problem else 200)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])
