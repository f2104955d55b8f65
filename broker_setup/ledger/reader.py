"""Keeps a process up to date with the ledger: what it holds at start, then every frame as it is written."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from broker_setup.amqp.errors import NOT_FOUND, PRECONDITION_FAILED, ChannelClosedError
from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BrokerUnavailableError
from broker_setup.ledger.applying import Applying, OtherStreamError
from broker_setup.ledger.frames import Frame
from broker_setup.ledger.in_turn import InTurn
from broker_setup.ledger.life import LOOK_SECONDS, TOO_OLD_SECONDS, Life, Sign
from broker_setup.ledger.markers import Markers
from broker_setup.ledger.writer import LedgerWriter
from broker_setup.link.broker_calls import broker_calls, close_channel
from broker_setup.link.connection import Link
from broker_setup.link.ending import Ending, end_delivery
from broker_setup.link.refusals import broker_words
from broker_setup.topology import LEDGER

log = logging.getLogger(__name__)

# What has come and waits for its turn stays in memory: of full frames 20 MiB.
PREFETCH = 100
ACK_EVERY = 25
RETRY_SECONDS = 0.5
# How long a marker may take that is written while we follow: a broker that is well needs a millisecond.
MARKER_SECONDS = 5.0
# And how long a replay may bring nothing: the broker looks for where it begins.
SILENCE_SECONDS = 20.0
# What RabbitMQ says of a stream that is elsewhere: up to 3.10 it has no replica there, later no running one.
NO_COPY = "replica on the local node"


class MarkerLostError(BrokerUnavailableError):
    """A marker was written, and did not come back."""


class LedgerReader:
    """Hands every frame to `apply`, in order; says whether it is up to date, and if not, why."""

    def __init__(
        self,
        *,
        link: Link,
        writer: LedgerWriter,
        apply: Callable[[Frame], None],
        window: float,
    ) -> None:
        self._link = link
        self._writer = writer
        self.applying = Applying(apply)
        self._window = window
        self._silences = 0
        self._taken = 0
        self._up_to_date = asyncio.Event()
        self._lost = asyncio.Event()
        self._markers = Markers()
        self._life = Life(self._write_marker)
        self._unacked = 0
        self.problem = "the ledger is being replayed"

    @property
    def is_up_to_date(self) -> bool:
        """Whether everything that was in the ledger has been applied, and what is written now will be."""
        return self._up_to_date.is_set()

    async def wait_up_to_date(self, seconds: float) -> None:
        """Return once up to date; raise BrokerUnavailableError if that takes longer than `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._up_to_date.wait()
        except TimeoutError:
            raise BrokerUnavailableError(self.problem) from None

    async def barrier(self) -> None:
        """Return when everything that was written before this call has been applied.

        Raise BrokerUnavailableError if that can't be known in time.
        """
        appended = self._writer.append()
        with self._markers.awaited(appended.frame) as seen:
            await asyncio.shield(appended.confirmed)
            try:
                async with asyncio.timeout(MARKER_SECONDS):
                    await seen
            except TimeoutError:
                raise MarkerLostError("the ledger is not being read at the moment") from None

    def expect(self, confirmed: asyncio.Future[None]) -> None:
        """Take a frame that is being written for a marker: once confirmed, it has to come."""
        self._life.wrote(confirmed)

    async def run(self) -> None:
        """Replay, follow, and start over where that was lost, until cancelled."""
        while True:
            await self._link.wait_up()
            await self._writer.wait_up()
            try:
                with broker_calls("reading it"):
                    await self._read()
            except BrokerUnavailableError as error:
                self._fail(f"the ledger is lost: {error}")
            finally:
                self._up_to_date.clear()
            await asyncio.sleep(RETRY_SECONDS)

    async def _read(self) -> None:
        try:
            await self._follow()
        except ChannelClosedError as error:
            if error.code == NOT_FOUND:
                # A stream also answers "not found" for a moment while its node comes back.
                words = broker_words(str(error)).rstrip(".")
                self._fail(f"{LEDGER} is missing or not ready ({words}): run `xqueue-broker declare` if that stays so")
                return
            if error.code != PRECONDITION_FAILED or NO_COPY not in str(error):
                raise
            self._fail("the node of the broker that we are connected to has no copy of the ledger")
            if self._link.has_other_nodes:
                self._link.drop(self.problem)

    async def _follow(self) -> None:
        # Of this turn's own, so that what the last channel still delivers is not taken for this one's.
        lost = self._lost = asyncio.Event()
        channel = await self._link.channel(prefetch=PREFETCH)
        channel.on_closed.add(self._on_lost)
        channel.on_cancelled.add(self._on_lost)
        await channel.consume(LEDGER, InTurn(partial(self._take, lost)).came, {"x-stream-offset": self._begin()})
        try:
            await self._prove(lost)
            await self._watch(lost)
        except MarkerLostError as error:
            # Another connection may lead to another of the broker's nodes.
            self._link.drop(str(error))
            raise
        finally:
            lost.set()
            channel.on_closed.discard(self._on_lost)
            await close_channel(channel)
        raise BrokerUnavailableError(
            "the broker cancelled its consumer or closed its channel"
            if self._link.is_up
            else "the connection to the broker has ended"
        )

    def _begin(self) -> datetime | int:
        """Say where to begin: at first with what is as old as the window, else with the last frame that we have.

        If another one stands there, it is another stream.
        """
        last = self.applying.last
        if last is None:
            self.applying.begin_replay()
            return datetime.now(UTC) - timedelta(seconds=self._window)
        return max(0, last.offset)

    async def _watch(self, lost: asyncio.Event) -> None:
        """Return when the channel is lost; raise MarkerLostError where it is open and brings nothing any more."""
        over = asyncio.create_task(lost.wait())
        life = self._life = Life(self._write_marker)
        try:
            while not lost.is_set():
                match life.look():
                    case Sign.WELL:
                        self._up_to_date.set()
                        self.problem = ""
                    case Sign.TOO_OLD:
                        self._up_to_date.clear()
                        self._fail(f"nothing has come from the ledger for {TOO_OLD_SECONDS:.0f} s")
                    case Sign.STALLED:
                        raise MarkerLostError("what is written to the ledger is confirmed and not delivered")
                await asyncio.wait({over}, timeout=LOOK_SECONDS)
        finally:
            over.cancel()

    def _write_marker(self) -> asyncio.Future[None]:
        return self._writer.append().confirmed

    async def _prove(self, lost: asyncio.Event) -> None:
        """Return when a marker has come through; what stands before it may take as long as it comes."""
        appended = self._writer.append()
        over = asyncio.create_task(lost.wait())
        began = self._taken
        patience = SILENCE_SECONDS if self.applying.is_replay else MARKER_SECONDS
        with self._markers.awaited(appended.frame) as seen:
            ends: set[asyncio.Future[Any]] = {seen, over}
            try:
                await asyncio.shield(appended.confirmed)
                while not seen.done() and not over.done():
                    before = self._taken
                    await asyncio.wait(ends, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                    if self._taken == before and not seen.done() and not over.done():
                        self._heard_nothing(since_it_began=before == began)
                        raise MarkerLostError("the ledger is not being read at the moment")
            finally:
                over.cancel()
        self._silences = 0
        if self.applying.is_replay and seen.done():
            self.applying.end_replay()

    def _heard_nothing(self, *, since_it_began: bool) -> None:
        # Once is a slow broker. Twice not even the frame where we stand: it is another stream, and a shorter one.
        self._silences = self._silences + 1 if since_it_began else 0
        if self._silences > 1:
            self.applying.last = None

    def _take(self, lost: asyncio.Event, message: Arrival) -> None:
        if lost.is_set():
            return
        self._taken += 1
        self._life.heard()
        offset = message.headers.get("x-stream-offset")
        if isinstance(offset, int):
            self._take_at(offset, message.body)
        self._unacked += 1
        if self._unacked >= ACK_EVERY and not lost.is_set():
            self._unacked = 0
            with contextlib.suppress(BrokerUnavailableError):  # then its channel is gone, and is opened anew
                end_delivery(message.channel, message.delivery_tag, Ending.ACKED, multiple=True)

    def _take_at(self, offset: int, body: bytes) -> None:
        try:
            frame = self.applying.apply_at(offset, body)
        except OtherStreamError:
            self._on_lost()
            return
        if frame:
            self._markers.saw(frame.id)

    def _on_lost(self, *_: object) -> None:
        self._up_to_date.clear()
        self._lost.set()

    def _fail(self, why: str) -> None:
        if why != self.problem:
            log.warning("%s", why)
        self.problem = why
