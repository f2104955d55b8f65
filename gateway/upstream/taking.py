"""Takes the work of one queue there: asks while graders here have room, and no more often than that is of use."""

import asyncio
import logging
from dataclasses import dataclass
from time import monotonic

import aiohttp

from broker_setup.errors import BrokerUnavailableError, XQueueError
from broker_setup.ledger.ledger import Ledger
from broker_setup.outbound.http_failures import why_no_answer
from broker_setup.upstream.dialect import Taken, read_taken
from broker_setup.upstream.session import UpstreamSession
from gateway.upstream.handing_in import HandingIn
from gateway.upstream.metrics import QueueMetrics
from gateway.upstream.room import Room
from gateway.upstream.taken_before import TakenBefore

log = logging.getLogger(__name__)

# While one is handed out again an upstream hands out no other.
REPEAT_PAUSE_SECONDS = 5.0
# After failures, doubled from one to the next.
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 1.0, 60.0
# What is under way when it is told to stop: a publish and a frame of the ledger.
STOP_SECONDS = 5.0


@dataclass(frozen=True)
class From:
    """A queue there, and the one here."""

    upstream: str
    queue_there: str
    queue: str

    def __str__(self) -> str:
        return f"upstream {self.upstream}, queue {self.queue_there}"


class Taking:
    """One queue; `run` it."""

    def __init__(
        self,
        where: From,
        session: UpstreamSession,
        room: Room,
        handing_in: HandingIn,
        *,
        ledger: Ledger,
        taken_before: TakenBefore,
        metrics: QueueMetrics,
        poll: float,
    ) -> None:
        """Ask every `poll` seconds while there is nothing, or no room."""
        self._where = where
        self._session = session
        self._room = room
        self._ledger = ledger
        self._taken_before = taken_before
        self._handing_in = handing_in
        self._metrics = metrics
        self._poll = poll
        self._in_hand: tuple[Taken, bytes] | None = None
        self._failure = ""
        self._pause = FIRST_PAUSE_SECONDS

    async def run(self) -> None:
        """Take work until cancelled; then finish what is under way."""
        while True:
            one = asyncio.ensure_future(self._take_one())
            try:
                pause = await asyncio.shield(one)
            except asyncio.CancelledError:
                await asyncio.wait({one}, timeout=STOP_SECONDS)
                one.cancel()
                raise
            await asyncio.sleep(pause)

    async def _take_one(self) -> float:
        """Take one submission, if there is one and room for it; return how long to pause."""
        try:
            # What was taken before, and by whom, stands there.
            await self._ledger.wait_up_to_date()
            if self._in_hand:
                return await self._hand_in(*self._in_hand)
            if not await self._room.is_there():
                return self._poll
            return await self._ask()
        except BrokerUnavailableError as error:
            log.debug("%s: nothing is taken: %s", self._where, error)
            return self._poll
        except (aiohttp.ClientError, OSError, ValueError, XQueueError) as error:
            return self._failed(_why(error))
        except Exception as error:  # a mistake of ours: seen by an operator, and no answer there ends the process
            log.exception("%s: unexpected error", self._where)
            return self._failed(f"unexpected error: {type(error).__name__}")

    async def _ask(self) -> float:
        asked_at = monotonic()
        said = await self._session.get("get_submission/", {"queue_name": self._where.queue_there})
        taken = read_taken(said, self._session.url)
        self._went_well()
        if taken is None:
            return self._poll
        uuid = self._taken_before.new_uuid(self._where.upstream, taken, asked_at)
        if uuid is None:
            self._metrics.repeats.inc()
            return max(self._poll, REPEAT_PAUSE_SECONDS)
        return await self._hand_in(taken, uuid)

    async def _hand_in(self, taken: Taken, uuid: bytes) -> float:
        # While the broker does not take it nothing else is taken: it would be of no use, and wait there for its time.
        self._in_hand = taken, uuid
        await self._handing_in.hand_in(self._where.upstream, self._where.queue_there, taken, uuid)
        self._in_hand = None
        self._taken_before.note(uuid)
        self._metrics.taken.inc()
        return 0.0

    def _went_well(self) -> None:
        if self._failure:
            log.info("%s: goes on", self._where)
        self._failure, self._pause = "", FIRST_PAUSE_SECONDS
        self._metrics.answers.set(1)

    def _failed(self, why: str) -> float:
        if why != self._failure:
            log.warning("%s: nothing can be taken: %s", self._where, why)
        self._failure = why
        self._metrics.failures.inc()
        self._metrics.answers.set(0)
        pause, self._pause = self._pause, min(2 * self._pause, LAST_PAUSE_SECONDS)
        return pause


def _why(error: Exception) -> str:
    if isinstance(error, XQueueError):
        return str(error)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return why_no_answer(error) or f"the request failed: {type(error).__name__}"
