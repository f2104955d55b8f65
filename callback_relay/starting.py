"""Starts the relay: reads the settings, runs the relay, stops it on SIGTERM or SIGINT."""

import asyncio
import logging
import signal
import sys
from typing import NoReturn

import uvloop

from broker_setup.errors import SettingsError
from broker_setup.process.logs import log_to_stderr
from broker_setup.process.old_parsers import parser_warnings
from broker_setup.process.spare_memory import give_spare_memory_back
from broker_setup.process.tracing import trace_as_asked
from broker_setup.settings import load_settings
from broker_setup.settings.loading import asks_for_spans
from broker_setup.settings.required import REQUIRED, Service
from callback_relay.credentials import credentials_warnings
from callback_relay.relay import Relay

log = logging.getLogger(__name__)


def start() -> None:
    """Run the relay until it is told to stop; wrong settings or a taken port are lines on stderr and exit code 1."""
    give_spare_memory_back()
    try:
        settings, warnings = load_settings(REQUIRED[Service.RELAY])
        relay = Relay(settings)
    except SettingsError as error:
        _give_up(error)
    log_to_stderr(settings.log_level, settings.log_format)
    trace_as_asked("xqueue-relay", asked=asks_for_spans())
    for warning in (*warnings, *credentials_warnings(settings), *parser_warnings(validates=settings.validate_results)):
        log.warning("%s", warning)
    try:
        uvloop.run(_serve(relay))
    except SettingsError as error:
        _give_up(error)


def _give_up(error: SettingsError) -> NoReturn:
    sys.exit(f"xqueue-relay: {error}")


async def _serve(relay: Relay) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, relay.stop)
    await relay.run()
