"""healthz, readyz and openapi.json: whether the process is alive and can do its work, and what calls it has."""

import json
from pathlib import Path

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from broker_setup.process.command_line import our_version
from gateway.http.readiness import Readiness

OPENAPI_PATH = "/xqueue/openapi.json"
SOURCE = Path(__file__).with_name("openapi.yaml")


class OperationCalls:
    """Answers load balancers and supervisors, and whoever asks for the description of all calls."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        description = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
        description["info"]["version"] = our_version()
        self._openapi = json.dumps(description)

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

    async def openapi(self, request: Request) -> Response:
        """Describe all calls, for people, generators and tests; openapi.yaml is the source."""
        return Response(self._openapi, media_type="application/json")
