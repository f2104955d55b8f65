"""What an export has met of a submission: in which form, from which queue; no I/O."""

import hashlib
from enum import Enum, auto

from msgspec import Struct

from broker_setup.amqp.messages import Arrival
from broker_setup.errors import BadMessageError
from broker_setup.operator.copies import Key
from broker_setup.topology import (
    ARCHIVED_RESULTS,
    ARCHIVED_SUBMISSIONS,
    CHECKED_EXCHANGE,
    NOTICES,
    PARKED_EXCHANGE,
    PAUSED_EXCHANGE,
    REGRADED_QUEUE,
    RETRY_EXCHANGE,
    SUBMISSIONS_EXCHANGE,
    SUBMISSIONS_PARKED,
)
from broker_setup.wire.properties import NOTICE_HEADER, RECORDED_HEADER, REDRIVEN_HEADER, count_in, is_uuid

# Where no grader may write.
_OURS_ALONE = frozenset({CHECKED_EXCHANGE, RETRY_EXCHANGE, PARKED_EXCHANGE})


class Form(Enum):
    """As what a submission lies in a queue."""

    WORK = auto()  # it waits, or somebody grades it
    PARKED = auto()
    RESULT = auto()  # stored by a service of ours, and in the ledger: its work is done
    UNREAD = auto()  # a result that may be anybody's, of an AMQP grader: its work is done if that may grade it
    NOTICE = auto()  # what its student is told
    OTHER = auto()  # no submission: a stranger's message, or the word of a pause


# What queues hold whose names are these, or begin so; all others hold results.
_BY_QUEUE = (
    (ARCHIVED_SUBMISSIONS, Form.OTHER),
    (ARCHIVED_RESULTS, Form.OTHER),
    (REGRADED_QUEUE, Form.OTHER),
    (SUBMISSIONS_PARKED, Form.PARKED),
    (SUBMISSIONS_EXCHANGE, Form.WORK),
    (NOTICES, Form.NOTICE),
    (PAUSED_EXCHANGE, Form.OTHER),
)


class Captured(Struct, frozen=True, gc=False):
    """A message in an export: the line of its queue's file, and what it is.

    `uuid` is the submission's 16 bytes, b"" where it names none; `redriven` says how often it was redriven. Of those
    with one `identity` the last that was met counts, wherever that was.
    """

    queue: str
    line: int
    form: Form
    uuid: bytes
    redriven: int
    identity: Key


def captured(message: Arrival, queue: str, line: int, key: Key) -> Captured:
    """Say what a message of `queue` is; `key` tells it from all others."""
    form = form_of(message, queue)
    if form is Form.OTHER or not is_uuid(message.correlation_id):
        return Captured(queue, line, Form.OTHER, b"", 0, key)
    try:
        redriven = count_in(message, REDRIVEN_HEADER) if form in {Form.WORK, Form.PARKED} else 0
    except BadMessageError:
        redriven = 0
    uuid = bytes.fromhex(message.correlation_id)
    # A result on a rung, and the same on its way from there, are one; two that say something else are two.
    what = b"" if form in {Form.WORK, Form.PARKED} else message.body
    identity = hashlib.sha256(b"%s %s %d %s" % (uuid, form.name.encode(), redriven, what)).digest()
    return Captured(queue, line, form, uuid, redriven, identity)


def form_of(message: Arrival, queue: str) -> Form:
    """Say as what a message lies in a queue."""
    for begins, form in _BY_QUEUE:
        if queue == begins or queue.startswith(f"{begins}."):
            return form
    # Where graders write, headers are anybody's; so they are where the broker itself moved what they wrote.
    if message.exchange not in _OURS_ALONE:
        return Form.UNREAD
    if NOTICE_HEADER in message.headers:
        return Form.NOTICE
    return Form.RESULT if RECORDED_HEADER in message.headers else Form.UNREAD


class Found:
    """In which forms each submission was met, whenever that was."""

    def __init__(self) -> None:
        self._redriven: dict[bytes, int] = {}  # those that wait, each with how often it was redriven at the most
        self._parked: set[bytes] = set()
        self._results: set[bytes] = set()

    def add(self, each: Captured) -> None:
        """Note what was met."""
        match each.form:
            case Form.WORK:
                self._redriven[each.uuid] = max(each.redriven, self._redriven.get(each.uuid, 0))
            case Form.PARKED:
                self._parked.add(each.uuid)
            case Form.RESULT | Form.UNREAD:
                self._results.add(each.uuid)

    def as_work(self, submission: bytes, redriven: int = 0) -> bool:
        """Say whether it was met where it waits, as a copy that was redriven so often or more."""
        return self._redriven.get(submission, -1) >= redriven

    def as_parked(self, submission: bytes) -> bool:
        """Say whether it was met parked."""
        return submission in self._parked

    def as_result(self, submission: bytes) -> bool:
        """Say whether a result of it was met."""
        return submission in self._results
