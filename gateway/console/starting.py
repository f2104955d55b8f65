"""Starts the console: reads the settings, runs it, stops it on SIGTERM or SIGINT."""

import asyncio
import logging
import signal
import sys
from typing import NoReturn

import uvloop

from broker_setup.errors import SettingsError
from broker_setup.process.logs import log_to_stderr
from broker_setup.process.spare_memory import give_spare_memory_back
from broker_setup.process.sparing import write_sparingly
from broker_setup.settings import load_settings
from broker_setup.settings.required import REQUIRED, Service
from gateway.console.console import Console

log = logging.getLogger(__name__)

# Whose lines anybody can cause who reaches the port.
STRANGERS_LOGGERS = ("gateway.callers.accounts", "uvicorn.error")


def start() -> None:
    """Run the console until it is told to stop; wrong settings or a taken port are lines on stderr and exit code 1."""
    give_spare_memory_back()
    try:
        settings, warnings = load_settings(REQUIRED[Service.CONSOLE])
        console = Console(settings)
    except SettingsError as error:
        _give_up(error)
    log_to_stderr(settings.log_level, settings.log_format)
    write_sparingly(STRANGERS_LOGGERS)
    for warning in warnings:
        log.warning("%s", warning)
    try:
        uvloop.run(_serve(console))
    except SettingsError as error:
        _give_up(error)


def _give_up(error: SettingsError) -> NoReturn:
    sys.exit(f"xqueue-console: {error}")


async def _serve(console: Console) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, console.stop)
    await console.run()
