"""healthz and readyz: is the process alive, and can it do its work."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.readiness import Readiness


class HealthCalls:
    """Answers load balancers and supervisors."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness

    async def healthz(self, request: Request) -> Response:
        """Say that the process serves."""
        return JSONResponse({"status": "ok"})

    async def readyz(self, request: Request) -> Response:
        """Say whether submits and polls would work right now, and if not, why."""
        problems = await self._readiness.problems()
        return JSONResponse(
            {"status": "not ready" if problems else "ready", "problems": problems},
            status_code=503 if problems else 200,
        )
