"""openapi.json: the description of all calls, for people, generators and tests; openapi.yaml is its source."""

import json
from pathlib import Path

import yaml
from starlette.requests import Request
from starlette.responses import Response

from broker_setup.process.command_line import our_version

OPENAPI_PATH = "/xqueue/openapi.json"
SOURCE = Path(__file__).with_name("openapi.yaml")


class OpenApiCall:
    """Serves the description, which is read once."""

    def __init__(self) -> None:
        description = yaml.safe_load(SOURCE.read_text(encoding="utf-8"))
        description["info"]["version"] = our_version()
        self._json = json.dumps(description)

    async def openapi(self, request: Request) -> Response:
        """Describe all calls."""
        return Response(self._json, media_type="application/json")
