"""Starts the bridge: reads the settings, runs the bridge, stops it on SIGTERM or SIGINT."""

import asyncio
import logging
import signal
import sys

import uvloop

from broker_setup.errors import SettingsError
from broker_setup.process.logs import log_to_stderr
from broker_setup.process.old_parsers import parser_warnings
from broker_setup.process.spare_memory import give_spare_memory_back
from broker_setup.settings import Settings, load_settings
from broker_setup.settings.required import NOBODY_TO_CALL, REQUIRED, Service
from gateway.passive.bridge import Bridge

log = logging.getLogger(__name__)


def start() -> None:
    """Run the bridge until it is told to stop; wrong settings or a taken port are lines on stderr and exit code 1."""
    give_spare_memory_back()
    try:
        settings, warnings = load_settings(REQUIRED[Service.PASSIVE])
        bridge = _bridge(settings)
        log_to_stderr(settings.log_level, settings.log_format)
        for warning in (*warnings, *parser_warnings(validates=settings.validate_results)):
            log.warning("%s", warning)
        uvloop.run(_serve(bridge))
    except SettingsError as error:
        sys.exit(f"xqueue-passive: {error}")


def _bridge(settings: Settings) -> Bridge:
    if not settings.passive_graders:
        raise SettingsError(NOBODY_TO_CALL)
    return Bridge(settings)


async def _serve(bridge: Bridge) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, bridge.stop)
    await bridge.run()
