"""One gateway in this process, alone or one of several workers: from its settings to a server that can be run."""

import gc
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, cast

import uvicorn
from prometheus_client import CollectorRegistry

from broker_setup.errors import SettingsError
from broker_setup.metrics_port.endpoint import Endpoint, Standing
from broker_setup.metrics_port.registries import process_registry
from broker_setup.process.logs import log_to_stderr
from broker_setup.process.old_parsers import parser_warnings
from broker_setup.process.spare_memory import give_spare_memory_back
from broker_setup.process.sparing import write_sparingly
from broker_setup.process.tracing import trace_as_asked
from broker_setup.settings import Settings, load_settings
from broker_setup.settings.loading import asks_for_spans
from broker_setup.settings.required import REQUIRED, Service
from gateway.app import build
from gateway.figures.collector import FamiliesCollector
from gateway.figures.gateway_figures import Figures
from gateway.http.connection import Bounds
from gateway.http.departure import Departure
from gateway.http.server_config import server_config
from gateway.leaving import LeavingServer
from gateway.start_warnings import start_warnings

if TYPE_CHECKING:
    from gateway.http.hot_calls import HotCalls

# What it ends with where it can't listen, uvicorn's own.
START_FAILED = 3
# CPython's own are 700, 10, 10: meant for scripts. The later ones are low, so that what refused requests leave behind
# is found again; a full look is taken only when a quarter has been added, so a large state does not pay for it.
GC_THRESHOLDS = (20_000, 5, 2)
# What it writes is students' work: for the user alone that it runs as.
UMASK = 0o077
# Whose lines anybody can cause who reaches the port.
STRANGERS_LOGGERS = ("gateway.callers.accounts", "gateway.http.guarded_calls", "gateway.http.routes", "uvicorn.error")


def gateway_settings() -> tuple[Settings, list[str]]:
    """Read the settings, with warnings about them; wrong ones are lines on stderr, and end the process."""
    try:
        return load_settings(REQUIRED[Service.GATEWAY])
    except SettingsError as error:
        sys.exit(f"xqueue-gateway: {error}")


def server_of(settings: Settings, warnings: Iterable[str], *, is_worker: bool = False) -> uvicorn.Server:
    """Make the server of a gateway, and this process one that is fit to run it.

    Settings that can't be used are lines on stderr, and end the process.
    """
    give_spare_memory_back()
    departure = Departure()
    try:
        app = build(settings, departure)
        # Chosen now: by the first upload it may be full, and then another would be, the working directory even.
        tempfile.gettempdir()
    except SettingsError as error:
        sys.exit(f"xqueue-gateway: {error}")
    except FileNotFoundError as error:
        sys.exit(f"xqueue-gateway: TMPDIR: {error.strerror}")
    os.umask(UMASK)
    log_to_stderr(settings.log_level, settings.log_format, is_shared=is_worker)
    write_sparingly(STRANGERS_LOGGERS)
    trace_as_asked("xqueue-gateway", asked=asks_for_spans())
    log = logging.getLogger("gateway")
    for warning in warnings:
        log.warning("%s", warning)
    # What is there now stays; young garbage is looked for less often. Together some 5 % of a submit.
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    bounds = Bounds(
        connections=settings.max_connections,
        head_size=settings.max_head_size,
        head_seconds=settings.head_timeout,
        body_seconds=settings.body_timeout,
        stall_seconds=settings.stall_timeout,
    )
    config = server_config(app, settings, bounds, host=settings.host, port=settings.port, loop="uvloop", lifespan="on")
    return LeavingServer(config, departure, delay=settings.stop_delay, seconds=settings.stop_time)


def endpoint_of(settings: Settings, server: uvicorn.Server) -> Endpoint:
    """Return where the gateway of this server shows its metrics, not opened yet."""
    figures = figures_of(server)
    registry = process_registry()
    registry.register(FamiliesCollector(figures.families))
    return metrics_endpoint(settings, registry, figures.standing)


def metrics_endpoint(settings: Settings, registry: CollectorRegistry, standing: Callable[[], Standing]) -> Endpoint:
    """Return where a gateway shows these metrics: of one process, or of all its workers."""
    return Endpoint(
        settings.gateway_metrics_host,
        settings.gateway_metrics_port,
        registry=registry,
        standing=standing,
        named="GATEWAY_METRICS",
    )


def figures_of(server: uvicorn.Server) -> Figures:
    """Return the metrics of the gateway that `server_of` has made a server for."""
    return cast("HotCalls", server.config.app).rest.state.figures  # type: ignore[no-any-return]


def all_warnings(settings: Settings, warnings: Iterable[str]) -> list[str]:
    """Return what an operator is told at start: of keys and values, of what they mean together, of this Python."""
    return [*warnings, *start_warnings(settings), *parser_warnings(validates=settings.validate_results)]
