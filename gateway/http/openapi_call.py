"""openapi.json: the description of all calls, for people, generators and tests; openapi.yaml is its source."""

import json
from pathlib import Path

import yaml
from starlette.requests import Request
from starlette.responses import Response

OPENAPI_PATH = "/xqueue/openapi.json"
SOURCE = Path(__file__).with_name("openapi.yaml")


class OpenApiCall:
    """Serves the description, which is read once."""

    def __init__(self) -> None:
        self._json = json.dumps(yaml.safe_load(SOURCE.read_text(encoding="utf-8")))

    async def openapi(self, request: Request) -> Response:
        """Describe all calls."""
        return Response(self._json, media_type="application/json")
