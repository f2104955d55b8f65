"""What of the messages that pass by is archived, and where: decided without I/O."""

from collections.abc import Callable, Collection

from msgspec import Struct

from broker_setup.amqp.messages import Arrival
from broker_setup.archive.entries import ArchivedResult, ArchivedSubmission
from broker_setup.archive.places import Part, Place, place_of
from broker_setup.wire.properties import RETURN_HEADER
from broker_setup.wire.results import decode_result
from broker_setup.wire.return_address import ReturnAddress, Sealer
from broker_setup.wire.submissions import decode_submission


class Entry(Struct, frozen=True):
    """What is kept, and where."""

    place: Place
    archived: ArchivedSubmission | ArchivedResult


class Choosing:
    """Says of each message what is kept of it, None where that is nothing.

    Raise BadMessageError, BadReturnAddressError or UnknownSecretError for what can't be read.
    """

    def __init__(
        self,
        sealer: Sealer,
        archived: Collection[str],
        *,
        is_ours: Callable[[str | None], bool],
        may_answer: Callable[[str | None, str], str | None],
    ) -> None:
        """`archived` are the course queues of which something is kept; the rest judges a result as the relay does."""
        self._sealer = sealer
        self._archived = archived
        self._is_ours = is_ours
        self._may_answer = may_answer

    def of_submission(self, message: Arrival) -> Entry | None:
        """Read what went to a course queue."""
        if RETURN_HEADER not in message.headers:  # a program's call
            return None
        sent = decode_submission(message, message.routing_key)
        address = self._sealer.open(sent.sealed_return, sent.uuid)
        if address.regrade or address.queue not in self._archived:
            return None
        url = address.callback_url.encode(errors="replace").decode()
        archived = ArchivedSubmission(sent.uuid, address.queue, address.sealed_at, url, sent.body, sent.files)
        return Entry(_place(address, Part.SUBMISSION), archived)

    def of_result(self, message: Arrival) -> Entry | None:
        """Read what goes to the relay."""
        result = decode_result(message, ours=self._is_ours(message.user_id))
        # What the relay has looked at, and sends over a rung, was kept when it first came.
        if result.tries.waits + result.tries.made and not result.sender:
            return None
        address = self._sealer.open(result.sealed_return, result.submission)
        sender = result.sender or message.user_id
        if address.regrade or address.queue not in self._archived or self._may_answer(sender, address.queue):
            return None
        archived = ArchivedResult(
            result.submission,
            result.graded_at.timestamp(),
            result.body,
            amendment=result.amendment,
            notice=result.notice,
            grader=sender or "",
        )
        part = Part.NOTICE if result.notice else Part.RESULT
        return Entry(_place(address, part, result.amendment), archived)


def _place(address: ReturnAddress, part: Part, amendment: int = 0) -> Place:
    # By the time in the seal, which is the same for what was submitted and for all that was answered.
    return place_of(address.queue, address.sealed_at, address.submission, part, amendment if part is Part.RESULT else 0)
