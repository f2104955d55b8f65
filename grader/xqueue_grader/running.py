"""Runs a grading function as a program: settings from the environment, a log on stderr, an end on SIGTERM."""

import asyncio
import logging
import signal
import sys
from contextlib import suppress

from xqueue_grader.common.errors import SettingsError
from xqueue_grader.common.link.broker_url import address_of
from xqueue_grader.common.process.logs import log_to_stderr
from xqueue_grader.errors import GraderBrokenError
from xqueue_grader.grader import Grader
from xqueue_grader.options import Options
from xqueue_grader.pools import Grade
from xqueue_grader.settings import DEFAULT_URL, read_settings

log = logging.getLogger(__name__)


def run(grade: Grade, *queues: str, url: str | None = None, options: Options | None = None) -> None:
    """Grade the submissions of `queues` with `grade` until SIGTERM or SIGINT.

    They come from `url`, whose scheme says how (amqp:// or amqps://: from RabbitMQ itself; http:// or https://: from
    any XQueue server); without one, from that of XQUEUE_URL or XQUEUE_AMQP_URL. With Workers.PROCESSES call it under
    `if __name__ == "__main__"`, since each process imports the script.
    """
    if not queues:
        sys.exit("grader: name at least one queue to grade")
    try:
        settings = read_settings()
        grader = Grader(url or settings.url or DEFAULT_URL, queues, grade, options)
    except SettingsError as error:
        sys.exit(f"grader: {error}")
    log_to_stderr(settings.log_level, settings.log_format)
    if not url and not settings.url:
        log.warning("%s", default_broker_warning())
    try:
        with _runner() as runner:
            runner.run(_serve(grader))
    except GraderBrokenError as error:
        sys.exit(f"grader: {error}")


def default_broker_warning() -> str:
    """Word the warning that nobody said where the broker is."""
    return (
        f"XQUEUE_AMQP_URL is not set: using amqp://{address_of(DEFAULT_URL)} (nothing was set, so this is the "
        "default); under `make up`: . .local/environment"
    )


def _runner() -> asyncio.Runner:
    """Have uvloop's event loop where that is installed: it costs less of a processor for each submission."""
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415 - who has none does without

        return asyncio.Runner(loop_factory=uvloop.new_event_loop)
    return asyncio.Runner()


async def _serve(grader: Grader) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, grader.stop)
    await grader.run()
