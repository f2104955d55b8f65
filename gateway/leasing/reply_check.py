"""Checks graders' replies before they are taken, and tells the grader and the log what is wrong."""

import logging
from collections.abc import Callable
from time import time

from broker_setup.errors import BadReturnAddressError, UnknownSecretError, XQueueError
from broker_setup.ledger.answers import Lease
from broker_setup.ledger.events import Extended
from broker_setup.ledger.ledger import Ledger
from broker_setup.process.beside import Portions
from broker_setup.wire.replies import FINE, Finding
from broker_setup.wire.reply_checker import BESIDE_BYTES, ReplyChecker
from broker_setup.wire.return_address import Sealer

log = logging.getLogger(__name__)


class BadReplyError(XQueueError):
    """The LMS would drop this reply, and what the student is waiting for; the text says why, with nothing of it."""


# So many bytes of replies are checked in each round of the event loop: a hundred may come in one call.
ROUND_BYTES = 8 * 1024


class ReplyCheck:
    """Checks what is handed in for a lease."""

    def __init__(
        self, ledger: Ledger, sealer: Sealer, checker: ReplyChecker, *, again: int, clock: Callable[[], float] = time
    ) -> None:
        """If the same reply is refused in a later lease of its submission, that attempt counts as `again` attempts."""
        self._ledger = ledger
        self._sealer = sealer
        self._checker = checker
        self._again = again
        self._portions = Portions(ROUND_BYTES)
        self._clock = clock

    def at_once(self, body: bytes) -> Finding | None:
        """Check a small reply that passes the strictest check, as most are and do; None for all others."""
        if len(body) > BESIDE_BYTES or not self._portions.turn_now(len(body)):
            return None
        found = self._checker.strictly(body)
        return None if found.wrong else found

    async def look(self, lease: Lease, body: bytes) -> Finding:
        """Check a reply; a large one takes a while."""
        await self._portions.turn(len(body))
        # Most replies are small and pass the strictest check: their return addresses, which take longest, stay sealed.
        if len(body) <= BESIDE_BYTES and not (found := self._checker.strictly(body)).wrong:
            return found
        try:
            address = self._sealer.open(lease.sealed, lease.submission.hex())
        except (BadReturnAddressError, UnknownSecretError):
            return FINE  # the relay checks it, once it can open the address
        return await self._checker.check(address.callback_url, body)

    def refuse(self, lease: Lease, amendment: int, digest: bytes, why: str, account: str) -> BadReplyError:
        """Write down that a reply is refused, and return the error that says so."""
        about = _about(lease, account) | {"reason": why}
        log.warning("%s: its reply is refused: %s", _whose(lease, account), why, extra=about)
        # Once for each lease: a loop that sends it again and again is no reason to fill the ledger. An amendment's
        # submission has ended, and there will be no more attempts.
        if not amendment and not (lease.refused and lease.refused.key == lease.key):
            now = self._clock()
            event = Extended(now, lease.submission, lease.key, lease.expires_at, why, digest, self._again)
            self._ledger.note(event)
        return BadReplyError(why)

    def warn(self, lease: Lease, odd: str, account: str) -> None:
        """Write down that a reply is taken that may not mean what its author thinks."""
        about = _about(lease, account) | {"reason": odd}
        log.warning("%s: its reply is taken, but %s", _whose(lease, account), odd, extra=about)


def _whose(lease: Lease, account: str) -> str:
    return f"submission {lease.submission.hex()}, queue {lease.queue}, grader {account!r}"


def _about(lease: Lease, account: str) -> dict[str, str]:
    return {"uuid": lease.submission.hex(), "queue": lease.queue, "by": account}
