"""/metrics for a Prometheus, /healthz and /readyz for whoever looks after the process.

It answers in the event loop's own thread, as only there the service's state may be read; so it bounds what asking
costs, however often and by whomever it is asked.
"""

import logging
import os
import socket
from collections.abc import Callable
from http import HTTPStatus
from time import monotonic
from typing import NamedTuple, Self

from aiohttp import web
from aiohttp.typedefs import Handler
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from broker_setup.errors import SettingsError
from broker_setup.metrics_port.doorway import Doorway
from broker_setup.metrics_port.head_alone import HeadAlone

log = logging.getLogger(__name__)

# The server's own: a traceback for each request that is none, which are strangers' to make.
_UNHEARD = logging.getLogger(f"{__name__}.server")
_UNHEARD.disabled = True
# For answers under way when the service stops.
STOP_SECONDS = 0.5
# A page takes milliseconds to write, in which nothing else is done: whoever asks within this time gets the same one.
PAGE_SECONDS = 0.25


class Standing(NamedTuple):
    """What a service is at, in a word, and whether it can do its work right now."""

    word: str
    is_ready: bool


class Endpoint:
    """Open it with `async with`; without a port it is none."""

    def __init__(
        self,
        host: str,
        port: int | None,
        *,
        registry: CollectorRegistry,
        standing: Callable[[], Standing],
        named: str = "METRICS",
    ) -> None:
        """Show `registry`, and what `standing` returns. `named` is what the settings of host and port begin with."""
        self._host = host
        self._port = port
        self._standing = standing
        self._named = named
        self._registry = registry
        self._runner: web.AppRunner | None = None
        self._doorway: Doorway | None = None
        self._page = b""
        self._written_at = float("-inf")

    @property
    def is_open(self) -> bool:
        """Whether it listens."""
        return self._doorway is not None and self._doorway.port is not None

    @property
    def url(self) -> str:
        """Where it listens, with the port that was picked where it was to pick one."""
        port = self._doorway.port if self._doorway else self._port
        return f"http://{f'[{self._host}]' if ':' in self._host else self._host}:{port}"

    async def __aenter__(self) -> Self:
        """Listen; raise SettingsError where that can't be."""
        if self._port is None:
            return self
        app = web.Application(middlewares=[_once])
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        self._runner = web.AppRunner(app, access_log=None, logger=_UNHEARD, shutdown_timeout=STOP_SECONDS)
        await self._runner.setup()
        server = self._runner.server
        assert server is not None
        self._doorway = Doorway(lambda: HeadAlone(server()))
        try:
            await self._doorway.open(self._host, self._port)
        except OSError as error:
            await self._runner.cleanup()
            raise SettingsError(
                f"{self._named}_HOST, {self._named}_PORT: can't listen on {self._host} port {self._port}: {_why(error)}"
            ) from error
        log.info("metrics at %s/metrics", self.url)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._doorway is not None:
            await self._doorway.close()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _: web.Request) -> web.Response:
        now = monotonic()
        if now - self._written_at >= PAGE_SECONDS:
            self._page = generate_latest(self._registry)
            self._written_at = now
        return web.Response(body=self._page, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})

    async def _healthz(self, _: web.Request) -> web.Response:
        # That it is answered at all is what 200 means.
        return web.Response(text=f"{self._standing().word}\n")

    async def _readyz(self, _: web.Request) -> web.Response:
        word, is_ready = self._standing()
        status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
        return web.Response(text=f"{word}\n", status=status)


@web.middleware
async def _once(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer one request on a connection: none is kept for the next one, which may be a minute away."""
    try:
        answer = await handler(request)
    except web.HTTPException as refused:
        refused.force_close()
        raise
    except Exception:
        log.exception("a mistake of ours: %s can't be shown", request.path)
        answer = web.Response(status=500)
    answer.force_close()
    return answer


def _why(error: OSError) -> str:
    # The event loops put the address into the text once more.
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror or str(error)
    return os.strerror(error.errno).lower()
