"""Shows a tally in a thread: its parent waits for processes and signals, and speaks no HTTP."""

import asyncio
from concurrent.futures import Future
from threading import Thread
from time import monotonic

from prometheus_client import CollectorRegistry

from broker_setup.metrics_port.endpoint import Endpoint
from broker_setup.settings import Settings
from gateway.figures.collector import FamiliesCollector
from gateway.serving import metrics_endpoint
from gateway.workers.tally import Tally


def show(settings: Settings, tally: Tally) -> None:
    """Have the metrics' port open until this process ends, where there is one; raise SettingsError if that can't be."""
    if settings.gateway_metrics_port is None:
        return
    registry = CollectorRegistry()
    registry.register(FamiliesCollector(lambda: tally.families(monotonic())))
    endpoint = metrics_endpoint(settings, registry, lambda: tally.standing(monotonic()))
    opened: Future[None] = Future()
    Thread(target=lambda: asyncio.run(_kept_open(endpoint, opened)), name="metrics", daemon=True).start()
    opened.result()


async def _kept_open(endpoint: Endpoint, opened: "Future[None]") -> None:
    try:
        async with endpoint:
            opened.set_result(None)
            await asyncio.get_running_loop().create_future()
    except Exception as error:
        if opened.done():
            raise
        opened.set_exception(error)  # whoever waits for it may do so for ever otherwise
