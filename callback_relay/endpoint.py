"""The relay's own small HTTP server: /metrics for a Prometheus, /healthz for whoever looks after the process.

It answers in the event loop's own thread, as only there the relay's state may be read.
"""

import logging
import os
import socket
from collections.abc import Callable
from typing import Self

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.aiohttp import make_aiohttp_handler

from broker_setup.errors import SettingsError

log = logging.getLogger(__name__)

# For answers under way when the relay stops.
STOP_SECONDS = 0.5


class Endpoint:
    """Open it with `async with`; without a port it is none."""

    def __init__(self, host: str, port: int | None, *, registry: CollectorRegistry, health: Callable[[], str]) -> None:
        """Show `registry`, and the word that `health` returns: that it is answered at all is what 200 means."""
        self._host = host
        self._port = port
        self._health = health
        self._registry = registry
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """Where it listens, with the port that was picked where it was to pick one."""
        port = self._runner.addresses[0][1] if self._runner else self._port
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{port}"

    async def __aenter__(self) -> Self:
        """Listen; raise SettingsError where that can't be."""
        if self._port is None:
            return self
        app = web.Application()
        app.router.add_get("/metrics", make_aiohttp_handler(self._registry))
        app.router.add_get("/healthz", self._healthz)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=STOP_SECONDS)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise SettingsError(
                f"METRICS_HOST, METRICS_PORT: can't listen on {self._host} port {self._port}: {_why(error)}"
            ) from error
        log.info("metrics at %s/metrics", self.url)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return web.Response(text=f"{self._health()}\n")


def _why(error: OSError) -> str:
    # The event loops put the address into the text once more.
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror or str(error)
    return os.strerror(error.errno).lower()
