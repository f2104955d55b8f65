"""Runs a grading function as a program: settings from the environment, a log on stderr, an end on SIGTERM."""

import asyncio
import signal
import sys

import uvloop

from broker_setup.errors import SettingsError
from broker_setup.grader.errors import GraderBrokenError
from broker_setup.grader.grader import Grader, Options
from broker_setup.grader.pools import Grade
from broker_setup.logs import log_to_stderr
from broker_setup.settings import load_settings


def run(grade: Grade, *queues: str, options: Options | None = None) -> None:
    """Grade the submissions of `queues` with `grade` until SIGTERM or SIGINT.

    The broker is the one of XQUEUE_AMQP_URL, or AMQP_URL in XQUEUE_CFG's file. With Workers.PROCESSES call it under
    `if __name__ == "__main__"`, since each process imports the script.
    """
    if not queues:
        raise ValueError("name a queue to grade")
    try:
        settings, _ = load_settings()
    except SettingsError as error:
        sys.exit(f"grader: {error}")
    log_to_stderr(settings.log_level)
    try:
        uvloop.run(_serve(Grader(settings.amqp_url.get_secret_value(), queues, grade, options)))
    except GraderBrokenError as error:
        sys.exit(f"grader: {error}")


async def _serve(grader: Grader) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, grader.stop)
    await grader.run()
