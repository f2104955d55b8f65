"""The whole of xqueue-upstream, put together: a Taking for each queue there, all on one ledger; it keeps nothing."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from time import monotonic

from broker_setup.ledger.answers import Outcome
from broker_setup.ledger.frames import Frame
from broker_setup.ledger.ledger import Ledger
from broker_setup.ledger.state import LedgerState
from broker_setup.link.connection import Link, supervised
from broker_setup.link.essential import essential
from broker_setup.link.publisher import Publisher
from broker_setup.metrics_port.endpoint import Endpoint, Standing
from broker_setup.process.process_name import process_name
from broker_setup.settings import Settings
from broker_setup.upstream.session import UpstreamSession
from broker_setup.upstream.upstreams import Upstreams
from gateway.upstream.handing_in import HandingIn
from gateway.upstream.metrics import Metrics
from gateway.upstream.room import Room
from gateway.upstream.taken_before import TakenBefore
from gateway.upstream.taking import From, Taking

log = logging.getLogger(__name__)

SERVING, TRYING = "serving", "trying"


class UpstreamProcess:
    """The service: `run` it, `stop` it."""

    def __init__(self, settings: Settings) -> None:
        """Build it from settings that have a SECRET_KEY and UPSTREAMS; nothing is opened yet.

        Raise SettingsError where an upstream can't be used, or the CA bundle.
        """
        self._settings = settings
        url, name = settings.amqp_url.get_secret_value(), process_name("xqueue-upstream")
        self._links = {use: Link(url, f"{name} {use}") for use in ("ledger", "publish", "asking")}
        publisher = Publisher(self._links["publish"])
        self._ledger = Ledger(
            link=self._links["ledger"],
            publisher=publisher,
            state=LedgerState(),
            window=settings.ledger_window,
            name=name,
        )
        self._ledger.on_applied(self._applied)
        self._upstreams = Upstreams(settings)
        self._queues = [
            From(name, there, each.queue)
            for name, upstream in settings.upstreams.items()
            for there, each in upstream.queues.items()
        ]
        self._taken_before = TakenBefore(settings.upstreams, {each.queue for each in self._queues})
        self._handing_in = HandingIn(settings, publisher, self._ledger)
        self._metrics = Metrics(self._connections)
        self._endpoint = Endpoint(
            settings.upstream_metrics_host,
            settings.upstream_metrics_port,
            registry=self._metrics.registry,
            standing=self._standing,
            named="UPSTREAM_METRICS",
        )
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """Ask `run` to take no more, hand in what was taken and return."""
        self._stopping.set()

    async def run(self) -> None:
        """Take work until `stop`; a broker or an upstream that is away, or comes back, is no reason to end.

        Raise SettingsError if the metrics' port can't be had.
        """
        reading = {"ledger reader": self._ledger.read(), "ledger notes": self._ledger.write_notes()}
        async with (
            self._endpoint,
            supervised(*self._links.values()),
            self._upstreams.sessions(len(self._queues)) as sessions,
            essential(reading),
            essential({str(each): self._taking(each, sessions).run() for each in self._queues}),
        ):
            log.info("taking work of %s", "; ".join(map(str, self._queues)))
            await self._stopping.wait()
            log.info("stopping")
        log.info("stopped")

    def _taking(self, where: From, sessions: Mapping[str, UpstreamSession]) -> Taking:
        return Taking(
            where,
            sessions[where.upstream],
            Room(self._links["asking"], where.queue, self._settings.upstream_ahead),
            self._handing_in,
            ledger=self._ledger,
            taken_before=self._taken_before,
            metrics=self._metrics.of(where.upstream, where.queue_there),
            poll=self._settings.upstream_poll,
        )

    def _applied(self, frame: Frame, _: Sequence[Outcome]) -> None:
        now = monotonic()
        for event in frame.events:
            self._taken_before.take_in(event, now)

    def _connections(self) -> Mapping[str, bool]:
        return {use: link.is_up for use, link in self._links.items()}

    def _standing(self) -> Standing:
        is_serving = all(self._connections().values()) and not self._ledger.problem
        return Standing(SERVING if is_serving else TRYING, is_ready=is_serving)
