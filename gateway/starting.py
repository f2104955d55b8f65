"""Starts the gateway: reads the settings, builds it, serves until told to stop; with WORKERS, so many of it."""

import asyncio
import sys
from contextlib import suppress

import uvicorn

from broker_setup.errors import SettingsError
from broker_setup.metrics_port.endpoint import Endpoint
from broker_setup.settings import Settings
from gateway.serving import START_FAILED, all_warnings, endpoint_of, gateway_settings, server_of
from gateway.workers.supervisor import supervise


def start() -> int:
    """Run the gateway and return its exit code; wrong settings are lines on stderr and exit code 1."""
    settings, warnings = gateway_settings()
    return serve(settings, warnings) if settings.workers == 1 else supervise(settings)


def serve(settings: Settings, warnings: list[str]) -> int:
    """Serve in this process; return its exit code. A metrics port that can't be had is a line on stderr, too."""
    server = server_of(settings, all_warnings(settings, warnings))
    endpoint = endpoint_of(settings, server)
    try:
        with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
            runner.run(_serve(server, endpoint))
    except SettingsError as error:
        sys.exit(f"xqueue-gateway: {error}")
    return 0 if server.started else START_FAILED


async def _serve(server: uvicorn.Server, endpoint: Endpoint) -> None:
    async with endpoint:
        await server.serve()
