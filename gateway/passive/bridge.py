"""The whole bridge, put together: one served queue for each grader that is called; it keeps nothing of its own."""

import asyncio
import logging

from broker_setup.ledger.writer import LedgerWriter
from broker_setup.link.connection import Link, supervised
from broker_setup.link.essential import essential
from broker_setup.link.publisher import Publisher
from broker_setup.parking import Parking
from broker_setup.process.process_name import process_name
from broker_setup.settings import Settings
from broker_setup.wire.reply_checker import ReplyChecker
from broker_setup.wire.return_address import Sealer
from gateway.passive.answers import Answers
from gateway.passive.grader import graders_for
from gateway.passive.served_queue import ServedQueue

log = logging.getLogger(__name__)


class Bridge:
    """The service: `run` it, `stop` it. Run as many as you like."""

    def __init__(self, settings: Settings) -> None:
        """Build it from settings that have a SECRET_KEY; nothing is opened yet.

        Raise SettingsError if the CA bundle can't be used.
        """
        url, name = settings.amqp_url.get_secret_value(), process_name("xqueue-passive")
        # Two connections: under an alarm the broker stops reading from one that publishes, acks and all.
        self._source = Link(url, f"{name} consume")
        self._sink = Link(url, f"{name} publish")
        publisher = Publisher(self._sink)
        sealer = Sealer(settings.secrets)
        answers = Answers(publisher, settings.failure_message)
        parking = Parking(
            publisher,
            sealer,
            settings.failure_message,
            ledger=LedgerWriter(publisher, name),
            grace_of=settings.notice_grace_of,
        )
        graders = graders_for(settings)
        checker = ReplyChecker(settings.max_reply_size)
        self._queues = [
            ServedQueue(
                queue,
                link=self._source,
                grader=grader,
                at_once=settings.grading_of(queue).concurrency,
                retry_delays=settings.grading_of(queue).retry_delays,
                sealer=sealer,
                checker=checker,
                validates=settings.validate_results,
                answers=answers,
                parking=parking,
            )
            for queue, grader in graders.items()
        ]
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask `run` to take no more submissions, finish what is under way and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until `stop`; a broker or a grader that is away, or comes back, is no reason to end."""
        queues = {f"queue {queue.name}": queue.run() for queue in self._queues}
        async with supervised(self._source, self._sink), essential(queues):
            await self._stopping.wait()
            log.info("stopping")
        log.info("stopped")
