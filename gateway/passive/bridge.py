"""The whole bridge, put together: one served queue for each grader that is called; it keeps nothing of its own."""

import asyncio
import logging

from broker_setup.ledger.writer import LedgerWriter
from broker_setup.link.connection import Link, supervised
from broker_setup.link.essential import essential
from broker_setup.link.publisher import Publisher
from broker_setup.metrics_port.endpoint import Endpoint, Standing
from broker_setup.parking import Parking
from broker_setup.process.process_name import process_name
from broker_setup.settings import Settings
from broker_setup.wire.reply_checker import ReplyChecker
from broker_setup.wire.return_address import Sealer
from gateway.passive.answers import Answers
from gateway.passive.grader import graders_for
from gateway.passive.metrics import Metrics, QueueReading, Reading
from gateway.passive.served_queue import ServedQueue

log = logging.getLogger(__name__)

# What it is at: every queue is consumed that is not paused, or the broker or a queue of it is to be reached yet.
SERVING, TRYING = "serving", "trying"


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
        metrics = Metrics(self._reading, graders)
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
                metrics=metrics.of(queue),
            )
            for queue, grader in graders.items()
        ]
        self._endpoint = Endpoint(
            settings.passive_metrics_host,
            settings.passive_metrics_port,
            registry=metrics.registry,
            standing=self._standing,
            named="PASSIVE_METRICS",
        )
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask `run` to take no more submissions, finish what is under way and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Serve until `stop`; a broker or a grader that is away, or comes back, is no reason to end.

        Raise SettingsError if the metrics' port can't be had.
        """
        async with (
            self._endpoint,
            supervised(self._source, self._sink),
            essential({f"queue {queue.name}": queue.run() for queue in self._queues}),
        ):
            await self._stopping.wait()
            log.info("stopping")
        log.info("stopped")

    def _standing(self) -> Standing:
        reading = self._reading()
        is_serving = all(reading.connections.values()) and all(each.is_served for each in reading.queues.values())
        return Standing(SERVING if is_serving else TRYING, is_ready=is_serving)

    def _reading(self) -> Reading:
        return Reading(
            connections={"consume": self._source.is_up, "publish": self._sink.is_up},
            queues={each.name: QueueReading(each.is_consumed, each.is_paused, each.under_way) for each in self._queues},
        )
