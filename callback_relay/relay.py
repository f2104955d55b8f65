"""The relay put together: results in from the broker (incoming.py), callbacks out to the LMS (delivery.py).

It keeps nothing that the broker doesn't have, except who stands where in line and what was delivered lately
(lines.py). One relay works at a time; others stand by.
"""

import asyncio
import logging
import random
from contextlib import suppress
from functools import partial
from time import monotonic, time

from broker_setup.ledger.notes import Notes
from broker_setup.ledger.writer import LedgerWriter
from broker_setup.link.broker_calls import CONNECTION_ERRORS
from broker_setup.link.connection import Link, supervised
from broker_setup.link.publisher import Publisher
from broker_setup.metrics_port.endpoint import Endpoint, Standing
from broker_setup.process.process_name import process_name
from broker_setup.settings import Settings
from broker_setup.topology import RESULTS_PARKED
from broker_setup.wire.answering import is_ours
from broker_setup.wire.reply_checker import ReplyChecker
from callback_relay.announcing import Announcer
from callback_relay.delivery import Delivering, Delivery, say
from callback_relay.incoming import Incoming
from callback_relay.ladder import Ladder
from callback_relay.metrics import Metrics, Reading
from callback_relay.poster import poster_for
from callback_relay.put_results import PutResults
from callback_relay.results_consumer import ConsumerState, ResultsConsumer
from callback_relay.room import unread_room
from callback_relay.schedule import Schedule
from callback_relay.settling import Settling
from callback_relay.student_notices import StudentNotices
from callback_relay.verdict import Patience
from callback_relay.ways import Ways

log = logging.getLogger(__name__)

# How often the schedule looks at the clock: twice for each probe, with rungs as they are by default.
TICK_SECONDS = 0.25
SHORTEST_TICK_SECONDS = 0.05
# The broker gives a frozen relay's lock away after two of these that were missed.
HEARTBEAT_SECONDS = 5


class Relay:
    """The service: `run` it, `stop` it."""

    def __init__(self, settings: Settings) -> None:
        """Build it from settings that have a SECRET_KEY; nothing is opened yet.

        Raise SettingsError if the CA bundle can't be read, or an upstream can't be used.
        """
        self._stopping = asyncio.Event()
        url, name = settings.amqp_url.get_secret_value(), process_name("xqueue-relay")
        # Two connections: under an alarm the broker stops reading from one that publishes, acks and all.
        self._source = Link(url, f"{name} consume", heartbeat=HEARTBEAT_SECONDS)
        self._sink = Link(url, f"{name} publish")
        self._publisher = Publisher(self._sink)
        self._ways = Ways(poster_for(settings), PutResults(settings))
        self._notes = Notes(LedgerWriter(self._publisher, name))
        checker = ReplyChecker(settings.max_reply_size) if settings.validate_results else None
        self._ladder = Ladder(settings.retry_delays)
        patience = Patience(settings.max_number_of_failures, settings.callback_max_age)
        # Chance for spreading load needs no cryptographic randomness.
        chance = random.random
        listed = (*(settings.callback_allowed_origins or ()), *settings.upstream_origins)
        self._schedule: Schedule[Delivery] = Schedule(
            self._ladder,
            patience,
            room=settings.callback_concurrency,
            unread_room=unread_room(settings.callback_concurrency),
            per_origin=settings.callback_concurrency_per_origin,
            chance=chance,
            wall=time,
            outdates_after=settings.supersede_after,
            listed=listed,
        )
        self._announcer = Announcer()
        self._metrics = Metrics(self._reading, listed=listed)
        self._settling = Settling(
            self._publisher,
            self._notes,
            self._metrics,
            StudentNotices(self._publisher, settings.failure_message, settings.notice_grace_of),
            partial(is_ours, graders=settings.amqp_graders, services=settings.services),
        )
        self._delivering = Delivering(
            self._schedule,
            self._ways,
            checker,
            self._settling,
            notes=self._notes,
            metrics=self._metrics,
            announcer=self._announcer,
            ladder=self._ladder,
            patience=patience,
            chance=chance,
            is_stopping=self._stopping.is_set,
        )
        incoming = Incoming(
            settings,
            checker,
            self._schedule,
            self._settling,
            self._delivering,
            notes=self._notes,
            ladder=self._ladder,
            patience=patience,
        )
        self._consumer = ResultsConsumer(
            self._source,
            prefetch=settings.callback_concurrency,
            unread_prefetch=unread_room(settings.callback_concurrency),
            others=(RESULTS_PARKED, *settings.rungs, *settings.notice_queues),
            received=incoming.received,
            received_unread=partial(incoming.received, unread=True),
            lost=self._lost,
        )
        self._endpoint = Endpoint(
            settings.metrics_host,
            settings.metrics_port,
            registry=self._metrics.registry,
            standing=self._standing,
        )

    def stop(self) -> None:
        """Ask `run` to take no more results, finish what is under way and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Deliver results until `stop`; a broker that is away, or comes back, is no reason to end.

        Raise SettingsError if the metrics' port can't be had.
        """
        async with self._endpoint, supervised(self._source, self._sink), self._ways:
            consuming = asyncio.create_task(self._consumer.run(), name="consume results")
            ticking = asyncio.create_task(self._tick(), name="schedule")
            noting = asyncio.create_task(self._notes.run(), name="ledger notes")
            stopping = asyncio.create_task(self._stopping.wait(), name="wait for stop")
            try:
                await asyncio.wait({consuming, ticking, noting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._stopping.set()
                for task in (consuming, ticking, stopping):
                    task.cancel()
                await asyncio.wait({consuming, ticking, stopping})
                await self._delivering.finish()
                noting.cancel()
                await asyncio.wait({noting})
                with suppress(*CONNECTION_ERRORS):
                    await self._notes.flush()
            for task in (consuming, ticking, noting):
                if not task.cancelled():
                    task.result()  # only a mistake of ours ends it: let that be seen
        log.info("stopped")

    def _lost(self) -> None:
        self._schedule.lost(monotonic())
        self._settling.lost()

    def _standing(self) -> Standing:
        state = self._consumer.state
        return Standing(state.value, is_ready=state is not ConsumerState.TRYING)

    def _reading(self) -> Reading:
        return Reading(
            state=self._consumer.state,
            connections={"consume": self._source.is_up, "publish": self._sink.is_up},
            paces=self._schedule.paces,
            oldest=self._schedule.oldest(),
        )

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(min(TICK_SECONDS, max(SHORTEST_TICK_SECONDS, self._ladder.shortest / 4)))
            now = monotonic()
            self._delivering.obey(self._schedule.tick(now))
            self._settling.make_use_of_room()
            say(self._announcer.of_all(self._schedule.paces, now))
