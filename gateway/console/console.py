"""The whole console, put together: the ledger that it follows, its pages, its metrics."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from broker_setup.errors import SettingsError
from broker_setup.link.connection import supervised
from broker_setup.link.essential import essential
from broker_setup.metrics_port.endpoint import Endpoint, Standing
from broker_setup.settings import Settings
from broker_setup.wire.sealed_urls import UrlSeals
from gateway.console.figures.site_figures import SiteFigures
from gateway.console.known.broker_look import BrokerLook
from gateway.console.known.following import Following
from gateway.console.known.index import SubmissionIndex
from gateway.console.known.known import Known
from gateway.console.known.lately import Lately
from gateway.console.known.pauses import Pauses
from gateway.console.known.rungs import RelayLook, RungsLook
from gateway.console.pages.app import application
from gateway.console.pages.jobs import Jobs
from gateway.console.pages.people import People
from gateway.http.connection import Bounds
from gateway.http.server_config import server_config

log = logging.getLogger(__name__)

# People with browsers: some connections for each.
CONNECTIONS = 200

# What it is at: everything that was written has been read, or not yet.
SERVING, READING = "serving", "reading the ledger"


class Console:
    """The service: `run` it, `stop` it. Several show the same, each from its own memory."""

    def __init__(self, settings: Settings) -> None:
        """Build it from settings that have a SECRET_KEY and CONSOLE_ACCOUNTS; nothing is opened yet."""
        self._settings = settings
        self._following = Following(settings)
        self._index = SubmissionIndex(
            most=settings.console_submissions, seconds=settings.console_window, open_url=UrlSeals(settings.secrets).open
        )
        lately, pauses = Lately(), Pauses()
        for listener in (self._index.take, lately.take, pauses.take):
            self._following.listen(listener)
        self._broker = BrokerLook(self._following.asking, settings.xqueues)
        self._jobs = Jobs(settings)
        people = People(settings)
        self._figures = SiteFigures(settings, self._following, self._broker, pauses, people.accounts)
        self._known = known = Known(
            settings,
            self._following,
            self._index,
            lately,
            pauses,
            self._broker,
            RungsLook(settings),
            RelayLook(settings),
        )
        self._server = _Server(
            server_config(application(known, people, self._jobs), settings, _bounds(settings), lifespan="off")
        )
        self._endpoint = Endpoint(
            settings.console_metrics_host,
            settings.console_metrics_port,
            registry=self._figures.registry,
            standing=self._standing,
            named="CONSOLE_METRICS",
        )

    def stop(self) -> None:
        """Ask `run` to answer what is under way and return."""
        self._server.should_exit = True

    async def run(self) -> None:
        """Serve until `stop`; a broker that is away, or comes back, is no reason to end.

        Raise SettingsError if a port can't be had.
        """
        following = self._following
        with _listener(self._settings.console_host, self._settings.console_port) as listener:
            async with (
                self._endpoint,
                supervised(following.reading, following.publishing, following.asking),
                essential(following.tasks | {"looking at queues": self._broker.run()}),
            ):
                host, port = listener.getsockname()[:2]
                log.info("the console is at http://%s:%s/", f"[{host}]" if ":" in host else host, port)
                await self._server.serve(sockets=[listener])
                await self._jobs.stop()
        log.info("stopped")

    def _standing(self) -> Standing:
        is_ready = not self._following.problem
        return Standing(SERVING if is_ready else READING, is_ready=is_ready)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to who runs the console: by uvicorn's own the process would end before all is closed."""
        yield


def _bounds(settings: Settings) -> Bounds:
    return Bounds(
        connections=CONNECTIONS,
        head_size=settings.max_head_size,
        head_seconds=settings.head_timeout,
        body_seconds=settings.stall_timeout,
        stall_seconds=settings.stall_timeout,
    )


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        return socket.create_server(address[:2], family=family)
    except OSError as error:
        why = os.strerror(error.errno).lower() if error.errno and error.errno > 0 else error.strerror or str(error)
        raise SettingsError(f"CONSOLE_HOST, CONSOLE_PORT: can't listen on {host} port {port}: {why}") from error
