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
from typing import TYPE_CHECKING, NamedTuple, Self

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from broker_setup.errors import SettingsError
from broker_setup.metrics_port.doorway import Doorway
from broker_setup.metrics_port.head_alone import HeadAlone

if TYPE_CHECKING:
    from aiohttp import web

log = logging.getLogger(__name__)

# A page takes milliseconds to write, in which nothing else is done: whoever asks within this time gets the same one.
PAGE_SECONDS = 0.25
_TEXT = "text/plain; charset=utf-8"


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
        from broker_setup.metrics_port.pages import serving  # noqa: PLC0415 - of use with a port alone

        self._runner = serving({"/metrics": self._metrics, "/healthz": self._healthz, "/readyz": self._readyz})
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

    def _metrics(self) -> tuple[bytes, str, HTTPStatus]:
        now = monotonic()
        if now - self._written_at >= PAGE_SECONDS:
            self._page = generate_latest(self._registry)
            self._written_at = now
        return self._page, CONTENT_TYPE_PLAIN_0_0_4, HTTPStatus.OK

    def _healthz(self) -> tuple[bytes, str, HTTPStatus]:
        # That it is answered at all is what 200 means.
        return f"{self._standing().word}\n".encode(), _TEXT, HTTPStatus.OK

    def _readyz(self) -> tuple[bytes, str, HTTPStatus]:
        word, is_ready = self._standing()
        return f"{word}\n".encode(), _TEXT, HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE


def _why(error: OSError) -> str:
    # The event loops put the address into the text once more.
    if isinstance(error, socket.gaierror) or error.errno is None:
        return error.strerror or str(error)
    return os.strerror(error.errno).lower()
