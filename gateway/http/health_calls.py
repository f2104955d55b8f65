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
        """Say whether submits and polls would work right now, and if not, why; and how the clocks agree."""
        problems = await self._readiness.problems()
        status, ahead = "not ready" if problems else "ready", round(self._readiness.clock_ahead, 3)
        return JSONResponse(
            {"status": status, "problems": problems, "clock_ahead_seconds": ahead},
            status_code=503 if problems else 200,
        )
