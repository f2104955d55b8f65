"""Starts the gateway: reads the settings, builds it, serves until told to stop; with WORKERS, so many of it."""

from contextlib import suppress

from broker_setup.settings import Settings
from gateway.serving import START_FAILED, all_warnings, gateway_settings, server_of
from gateway.workers.supervisor import supervise


def start() -> int:
    """Run the gateway and return its exit code; wrong settings are lines on stderr and exit code 1."""
    settings, warnings = gateway_settings()
    return serve(settings, warnings) if settings.workers == 1 else supervise(settings)


def serve(settings: Settings, warnings: list[str]) -> int:
    """Serve in this process; return its exit code."""
    server = server_of(settings, all_warnings(settings, warnings))
    with suppress(KeyboardInterrupt):
        server.run()
    return 0 if server.started else START_FAILED
