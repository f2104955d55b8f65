"""A submission that was polled: kept while it is graded, answered by put_result, given back where that can be said."""

import asyncio
import logging
from collections.abc import Callable

from xqueue_grader.settlement import Answered, Failed, GivenBack, Settlement
from xqueue_grader.submission import Submission
from xqueue_grader.transports.over_http.answers import NO_SUBMISSION, WRONG_KEY, NoSuchCallError, UnavailableError
from xqueue_grader.transports.over_http.handed import Handed
from xqueue_grader.transports.over_http.retries import Outage, Retries
from xqueue_grader.transports.over_http.server import Server

log = logging.getLogger(__name__)

# A lease is a minute long unless somebody set something else; three tries fit before an extension is needed.
EXTEND_SECONDS = 60.0
SHORTEST_PAUSE = 0.2
# Of a server's reason, in a log.
MAX_QUOTED = 200
# For giving back, which is a kindness to the next grader: what is not given back runs out.
RELEASE_SECONDS = 5.0


class PolledLease:
    """One submission, from when it was handed out until `end`."""

    is_call = False
    returns = 0  # the server counts, by the leases that ran out

    def __init__(self, handed: Handed, queue: str, server: Server, outage: Outage, ended: Callable[[], None]) -> None:
        """`ended` is called when it is settled, whichever way."""
        self.queue = queue
        self._handed = handed
        self._server = server
        self._outage = outage
        self._ended = ended
        self._is_begun = False
        self._is_ours = True
        self._keeping: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        """Its id."""
        return self._handed.name

    def keep(self, grading: asyncio.Task[None]) -> None:
        """Have the lease run on until `end`; `grading` is cancelled if it is lost before it is begun."""
        self._keeping = asyncio.create_task(self._keep(grading))

    def read(self) -> Submission:
        """Read it; that is when its grading begins."""
        self._is_begun = True
        return self._handed.submission(self.queue)

    async def answer(self, reply: bytes) -> Settlement:
        """Hand the reply in, as often as it takes: a server that took it already says so, or refuses the key."""
        retries, may_be_taken = Retries(), False
        what = "put_result"
        while True:
            try:
                refusal = await self._server.put(self._handed.header, reply)
            except UnavailableError as error:
                may_be_taken = may_be_taken or error.may_be_done
                self._outage.tell(what, error)
                await asyncio.sleep(retries.pause(error))
                continue
            self._outage.over(what)
            return self._settled(refusal, may_be_taken=may_be_taken)

    async def end(self, settlement: Settlement) -> None:
        """Give it back, or say that it failed, where the server takes such word."""
        self._ended()
        if self._keeping:
            self._keeping.cancel()
        if isinstance(settlement, Answered) or not self._is_ours or not self._server.can.bulk:
            return
        try:
            async with asyncio.timeout(RELEASE_SECONDS):
                await self._release(failed=isinstance(settlement, Failed))
        except (TimeoutError, UnavailableError, NoSuchCallError) as error:
            log.info("submission %s: not given back, its lease runs out: %s", self.name, error or "no answer in time")

    async def _release(self, *, failed: bool) -> None:
        retries = Retries()
        while self._server.can.release:
            try:
                if refusal := await self._server.release(self._handed.header, failed=failed):
                    log.info("submission %s: not given back: %s", self.name, refusal)
            except UnavailableError as error:
                await asyncio.sleep(retries.pause(error))
            else:
                return

    def _settled(self, refusal: str, *, may_be_taken: bool) -> Settlement:
        if not refusal:
            return Answered()
        if refusal not in {WRONG_KEY, NO_SUBMISSION}:
            return Failed(f"the server refuses its reply: {refusal[:MAX_QUOTED]!r}")
        self._is_ours = False
        if may_be_taken:
            # The original forgets a key with the result; so this is what it says to a repeat.
            log.info("submission %s: its result was taken before, or another grader has it now", self.name)
            return Answered()
        log.warning("submission %s: its lease is over, and another grader has it: the result is dropped", self.name)
        return GivenBack()

    async def _keep(self, grading: asyncio.Task[None]) -> None:
        left = self._handed.seconds
        retries = Retries()
        while self._server.can.keeps_leases:
            await asyncio.sleep(
                EXTEND_SECONDS / 3 if left is None else max(SHORTEST_PAUSE, min(left, EXTEND_SECONDS) / 3)
            )
            try:
                refusal, left = await self._server.extend(self._handed.header, EXTEND_SECONDS)
            except UnavailableError as error:
                self._outage.tell("extend_lease", error)
                await asyncio.sleep(retries.pause(error))
            except NoSuchCallError:
                log.info("this server extends no leases")
            else:
                self._outage.over("extend_lease")
                retries = Retries()
                if refusal:
                    self._lost(refusal, grading)
                    return

    def _lost(self, why: str, grading: asyncio.Task[None]) -> None:
        # Of what is begun the result may still be welcome: as long as nobody else has it.
        if not self._is_begun:
            self._is_ours = False
            log.info("submission %s: its lease is over before its grading began: %s", self.name, why)
            grading.cancel()
