"""Runs a grading function as a program: settings from the environment, a log on stderr, an end on SIGTERM."""

import asyncio
import logging
import signal
import sys
from typing import TYPE_CHECKING

import uvloop

from broker_setup.errors import SettingsError
from broker_setup.grader.errors import GraderBrokenError
from broker_setup.grader.grader import Grader, Options
from broker_setup.grader.pools import Grade
from broker_setup.link.broker_url import address_of
from broker_setup.process.logs import log_to_stderr

if TYPE_CHECKING:
    from broker_setup.settings import Settings

log = logging.getLogger(__name__)


def run(grade: Grade, *queues: str, options: Options | None = None) -> None:
    """Grade the submissions of `queues` with `grade` until SIGTERM or SIGINT.

    The broker is the one of XQUEUE_AMQP_URL, or AMQP_URL in XQUEUE_CFG's file. With Workers.PROCESSES call it under
    `if __name__ == "__main__"`, since each process imports the script.
    """
    if not queues:
        sys.exit("grader: name at least one queue to grade")
    # Half of what the library imports; each worker process imports the library, and none reads settings.
    from broker_setup.settings import load_settings  # noqa: PLC0415

    try:
        settings, _ = load_settings()
    except SettingsError as error:
        sys.exit(f"grader: {error}")
    log_to_stderr(settings.log_level, settings.log_format)
    if warning := default_broker_warning(settings):
        log.warning("%s", warning)
    try:
        uvloop.run(_serve(Grader(settings.amqp_url.get_secret_value(), queues, grade, options)))
    except GraderBrokenError as error:
        sys.exit(f"grader: {error}")


def default_broker_warning(settings: "Settings") -> str | None:
    """Word the warning that nobody said where the broker is; None if somebody did."""
    if "amqp_url" in settings.model_fields_set:
        return None
    address = address_of(settings.amqp_url.get_secret_value())
    return (
        f"XQUEUE_AMQP_URL is not set: using amqp://{address} (nothing was set, so this is the default); "
        "under `make up`: . .local/environment"
    )


async def _serve(grader: Grader) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, grader.stop)
    await grader.run()
