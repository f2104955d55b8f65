"""Starts xqueue-upstream: reads the settings, runs it, stops it on SIGTERM or SIGINT."""

import asyncio
import logging
import signal
import sys

import uvloop

from broker_setup.errors import SettingsError
from broker_setup.process.logs import log_to_stderr
from broker_setup.process.spare_memory import give_spare_memory_back
from broker_setup.settings import load_settings
from broker_setup.settings.required import REQUIRED, Service
from gateway.upstream.grace import grace_warnings
from gateway.upstream.process import UpstreamProcess

log = logging.getLogger(__name__)


def start() -> None:
    """Run it until it is told to stop; wrong settings or a taken port are lines on stderr and exit code 1."""
    give_spare_memory_back()
    try:
        settings, warnings = load_settings(REQUIRED[Service.UPSTREAM])
        process = UpstreamProcess(settings)
        log_to_stderr(settings.log_level, settings.log_format)
        for warning in (*warnings, *grace_warnings(settings)):
            log.warning("%s", warning)
        uvloop.run(_serve(process))
    except SettingsError as error:
        sys.exit(f"xqueue-upstream: {error}")


async def _serve(process: UpstreamProcess) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, process.stop)
    await process.run()
