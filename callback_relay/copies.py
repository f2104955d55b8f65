"""What was found of copies in regrades: it goes to the command that waits for it, and nowhere else."""

from hashlib import blake2b
from time import time

from broker_setup.amqp.messages import Arrival
from broker_setup.ledger.events import KEY_HASH_BYTES, Graded, hash_url
from broker_setup.ledger.notes import Notes
from broker_setup.wire.regrade_address import RegradeAddress
from broker_setup.wire.results import Result
from callback_relay.floods import LatelyParked
from callback_relay.job import Identity
from callback_relay.settling import About, Settling
from callback_relay.verdict import HandOver, Repeat


class Copies:
    """Hands each over once, as far as it is remembered: a grader may send the same any number of times."""

    def __init__(self, settling: Settling, notes: Notes) -> None:
        self._settling = settling
        self._notes = notes
        self._handed_over = LatelyParked()

    async def settle(self, message: Arrival, result: Result, copy: RegradeAddress) -> None:
        """Store a copy's result for its regrade; the ledger hears that the copy ended, as of any submission."""
        identity, about = Identity.of(result), About("", copy.queue)
        if identity in self._handed_over:
            await self._settling.settle(message, Repeat(), about)
            return
        graded = None
        if not result.recorded:
            submission, digest = bytes.fromhex(result.submission), _digest(result.body)
            graded = self._notes.write(Graded(time(), submission, copy.queue, hash_url(""), b"", digest, ""))
        held = await self._settling.settle(message, HandOver(copy.run), about, graded=graded)
        # Not before: what could not be stored comes again.
        if isinstance(held, HandOver):
            self._handed_over.add(identity)


def _digest(body: bytes) -> bytes:
    return blake2b(body, digest_size=KEY_HASH_BYTES).digest()
